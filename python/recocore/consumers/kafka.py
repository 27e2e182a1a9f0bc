"""Kafka: every partition of a topic, read from where the state says. Needs `recocore[kafka]`."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any

from recocore.consumers.consuming import Consumed, Message, record
from recocore.errors import (
    NotFoundError,
    OverloadedError,
    OwnerUnavailableError,
    RecocoreError,
    StorageError,
    UnsupportedError,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from recocore.consumers.consuming import Sink

_LOGGER = logging.getLogger("recocore")

# As a call of the state takes them.
_MOST_MESSAGES = 1_000
_POLL_SECONDS = 0.2
_TOPIC_SECONDS = 10.0
_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 5.0
# The owner is busy, its disk refuses, or it is being started again: the same batch may be recorded later.
_FOR_A_WHILE = (OverloadedError, StorageError, OwnerUnavailableError)


class KafkaSource:
    """A topic. Offsets are the state's: none are committed to Kafka, and its consumer groups do not come into it.

    Run one of it for a topic: two would read every message twice, which costs time and changes nothing.

    Args:
        topic: its name.
        config: of librdkafka, such as {"bootstrap.servers": "127.0.0.1:9092"}.
        batch: messages of a commit, at most 1,000.

    Raises:
        UnsupportedError: confluent-kafka is not installed.
    """

    def __init__(self, topic: str, config: Mapping[str, Any], *, batch: int = 500) -> None:
        try:
            import confluent_kafka  # noqa: PLC0415  (an extra)
        except ImportError:
            raise UnsupportedError(
                "consuming from Kafka needs confluent-kafka; pip install 'recocore[kafka]'"
            ) from None
        self._kafka = confluent_kafka
        self._topic = topic
        self._batch = min(batch, _MOST_MESSAGES)
        self._config = {
            "group.id": f"recocore-{topic}",
            "auto.offset.reset": "earliest",
            **config,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }

    def run(
        self,
        sink: Sink,
        stop: threading.Event,
        *,
        until_end: bool = False,
        told: Callable[[Consumed], object] = lambda consumed: None,
    ) -> Consumed:
        """Record the messages of the topic until `stop` is set: what became of them.

        Args:
            sink: takes events and offsets.
            stop: ends it between two commits.
            until_end: end as well when every partition has been read to its end.
            told: called after each commit.

        Raises:
            NotFoundError: the brokers know no such topic.
            RecocoreError: the brokers refuse, or the sink does for good.
        """
        consumer = self._kafka.Consumer(self._config)
        try:
            partitions = self._partitions(consumer)
            known = sink.offsets()
            consumer.assign(
                [
                    self._kafka.TopicPartition(
                        self._topic, number, known.get(self._source(number), self._kafka.OFFSET_BEGINNING)
                    )
                    for number in partitions
                ]
            )
            open_ones = set(partitions)
            total = Consumed()
            while not stop.is_set() and (open_ones or not until_end):
                messages = self._take(consumer.consume(self._batch, _POLL_SECONDS), open_ones)
                if messages:
                    consumed = self._record(messages, sink, stop)
                    total += consumed
                    told(consumed)
            return total
        finally:
            consumer.close()

    def _partitions(self, consumer: Any) -> list[int]:
        topic = consumer.list_topics(self._topic, timeout=_TOPIC_SECONDS).topics[self._topic]
        if topic.error is not None:
            raise NotFoundError(f"topic: {self._topic!r} cannot be read: {topic.error.str()}; check its name")
        return sorted(topic.partitions)

    def _take(self, polled: Sequence[Any], open_ones: set[int]) -> list[Message]:
        messages = []
        for message in polled:
            error = message.error()
            if error is None:
                open_ones.add(message.partition())
                messages.append(Message(self._source(message.partition()), message.offset(), message.value() or b""))
            elif error.code() == self._kafka.KafkaError._PARTITION_EOF:
                open_ones.discard(message.partition())
            elif error.retriable():
                _LOGGER.warning("kafka: %s", error.str())
            else:
                raise RecocoreError(f"kafka: {error.str()}; check the brokers and the settings")
        return messages

    def _record(self, messages: Sequence[Message], sink: Sink, stop: threading.Event) -> Consumed:
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                return record(messages, sink)
            except _FOR_A_WHILE as error:
                _LOGGER.warning("the state takes no events: %s", error)
                if stop.wait(backoff * random.uniform(0.5, 1.0)):
                    return Consumed()
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)

    def _source(self, partition: int) -> str:
        return f"kafka/{self._topic}/{partition}"
