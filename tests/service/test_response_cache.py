"""The cache keeps what was used last, within its bytes, and nothing of models that have gone."""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass

from recocore.service.response_cache import ResponseCache


@dataclass(frozen=True)
class Entry:
    size: int
    number: int = 0


def test_an_entry_belongs_to_its_request_and_generation() -> None:
    cache: ResponseCache[Entry] = ResponseCache(1_000_000)
    cache.put(1, b"a", Entry(10, 1))
    cache.put(1, b"b", Entry(10, 2))
    assert (cache.get(1, b"a"), cache.get(1, b"b"), cache.get(1, b"c")) == (Entry(10, 1), Entry(10, 2), None)
    assert cache.get(2, b"a") is None
    assert (len(cache), cache.size) == (0, 0)


def test_an_answer_of_models_that_were_swapped_meanwhile_is_not_kept() -> None:
    cache: ResponseCache[Entry] = ResponseCache(1_000_000)
    cache.put(2, b"new", Entry(10))
    cache.put(1, b"old", Entry(10))
    assert cache.get(2, b"old") is None
    assert cache.get(2, b"new") == Entry(10)


def test_no_bytes_keep_nothing() -> None:
    cache: ResponseCache[Entry] = ResponseCache(0)
    cache.put(1, b"a", Entry(0))
    assert cache.get(1, b"a") is None


def test_a_huge_answer_pushes_nobody_out() -> None:
    cache: ResponseCache[Entry] = ResponseCache(10_000_000)
    cache.put(1, b"a", Entry(10))
    cache.put(1, b"huge", Entry(1_000_000))
    assert cache.get(1, b"a") == Entry(10)
    assert cache.get(1, b"huge") is None


def test_it_holds_what_was_used_last_of_any_course_of_calls() -> None:
    rng = random.Random(5)
    beside, room = 400, 20_000
    cache: ResponseCache[Entry] = ResponseCache(room)
    model: OrderedDict[bytes, Entry] = OrderedDict()
    for number in range(5_000):
        request = b"%d" % rng.randrange(60)
        if rng.random() < 0.5:
            entry = Entry(rng.randrange(1_500), number)
            cache.put(7, request, entry)
            model.pop(request, None)
            model[request] = entry
            while sum(len(key) + kept.size + beside for key, kept in model.items()) > room:
                model.popitem(last=False)
        else:
            if request in model:
                model.move_to_end(request)
            assert cache.get(7, request) == model.get(request)
        assert cache.size == sum(len(key) + kept.size + beside for key, kept in model.items()) <= room
