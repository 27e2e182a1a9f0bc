"""FraudDesk: decisions that are in the log before they are answered, and counters that survive the process."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

from recocore.errors import (
    ConflictError,
    CorruptError,
    InvalidArgumentError,
    NotFoundError,
)
from recocore.fraud.decision import Decider, rule_columns
from recocore.fraud.ledger.backup import back_up_ledger
from recocore.fraud.ledger.checkpoints import Checkpoints
from recocore.fraud.ledger.contents import (
    decision_name,
    is_report,
    pack_decision,
    pack_kept,
    pack_report,
    read_event,
    read_kept,
    report_id,
)
from recocore.fraud.ledger.ledger import RULES, Entry, FraudLedger, rules_entry
from recocore.fraud.ledger.notes import CUT, FOLLOWED, read_note, write_note
from recocore.fraud.ledger.recall import recall
from recocore.fraud.ledger.retention import Retention, check_keep, windows_need
from recocore.fraud.ledger.tally import RuleTally
from recocore.fraud.ledger.versions import Versions
from recocore.fraud.rules import RuleSet
from recocore.state.segment import EVENT

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from recocore.fraud.decision import FraudModel, KnownRings, OutcomeReport
    from recocore.fraud.ledger.recall import Recalled
    from recocore.fraud.velocity import Velocity
    from recocore.state import KeyFile
    from recocore.state.disk import Disk

_LOGGER = logging.getLogger("recocore.fraud")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of one event.

    Attributes:
        packed: the decision, as `pack_decision` packs it; None where the event only counts or was refused.
        duplicate: it had come before; `packed` is what was decided then.
        error: why it was refused; it is not counted.
    """

    packed: bytes | None = None
    duplicate: bool = False
    error: InvalidArgumentError | None = None


class FraudDesk:
    """Scores events, takes outcomes and changes rules, each in the log before it is answered; one process owns a folder.

    The log is the truth: counters, rules and remembered decisions are made again from it, from the last checkpoint on. Whatever
    fails between counting an event and writing it, such as a full disk, has the counters made again before the next call.
    Methods may be called from any thread, and take turns.

    Args:
        ledger: the log.
        model: fitted.
        rings: that are known.
        checkpoint_events: counters are written down each time that so many events have come: as many are counted again at most
            when the desk is opened.
        remembered: events whose decision is kept in memory, to be given again at once.
        timed: is told the seconds that each decision took; None for nobody.

    Attributes:
        model: as given.
        rings: as given.
        tally: how the rules went since they began to decide here.
    """

    def __init__(
        self,
        ledger: FraudLedger,
        model: FraudModel,
        rings: KnownRings | None = None,
        *,
        checkpoint_events: int = 200_000,
        remembered: int = 10_000,
        timed: Callable[[float], None] | None = None,
    ) -> None:
        self._ledger, self.model, self.rings = ledger, model, rings
        self._checkpoint_events, self._remembered, self._timed = checkpoint_events, remembered, timed
        self._lock = threading.RLock()
        # Held by who rewrites segments or copies them; it is taken before the other one.
        self._rewriting = threading.Lock()
        self._retention: Retention | None = None
        self._cut = read_note(ledger.path, CUT) or 0
        self._versions = Versions(ledger.path, ledger.keys)
        self._versions.keep_model(model)
        if rings is not None:
            self._versions.keep_rings(rings)
        self._checkpoints = Checkpoints(ledger.path / "counters", ledger.keys)
        self._decide = frozenset(model.decide)
        self._velocity: Velocity
        self._recent: OrderedDict[str, bytes | None]
        self._since = 0
        self._newest = 0
        self._broken = True
        self._rebuild()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        model: FraudModel,
        rings: KnownRings | None = None,
        *,
        keys: KeyFile | None = None,
        disk: Disk | None = None,
        **settings: Any,
    ) -> Self:
        """Open a desk over a ledger's folder, or make one; see `FraudLedger.open` for what it raises."""
        ledger = FraudLedger.open(path, keys, disk=disk)
        try:
            return cls(ledger, model, rings, **settings)
        except BaseException:
            ledger.close()
            raise

    @property
    def rules(self) -> RuleSet:
        """The rule set that decides."""
        return self._decider.rules

    @property
    def velocity(self) -> Velocity:
        """The counters."""
        return self._velocity

    def score(self, rows: Sequence[bytes], *, durable: bool = True) -> list[Scored]:
        """Count events and decide on them, in their order: what became of each. Some 100 us an event.

        Args:
            rows: MessagePack maps with the names of the event schema; `event_id`, `user_id`, `event_time` and `type` are there,
                times as microseconds since 1970.
            durable: wait for the device. Else what is answered survives the end of the process, and `flush` makes it survive
                the end of the machine.

        Raises:
            StorageError: the disk refuses; nothing of the call is kept.
        """
        with self._lock:
            self._whole()
            # Until the rows are written, the counters are ahead of the log.
            self._broken = True
            made = _now()
            groups: list[list[Entry]] = []
            scored = [self._score(row, made, groups) for row in rows]
            self._ledger.write(groups, durable=durable)
            self._broken = False
            self._since += len(groups)
            if self._since >= self._checkpoint_events:
                self.checkpoint()
            return scored

    def _score(self, row: bytes, made: int, groups: list[list[Entry]]) -> Scored:
        try:
            event = read_event(row)
            event_id, user_id = event["event_id"], event["user_id"]
        except (KeyError, CorruptError, ValueError) as error:
            return Scored(error=InvalidArgumentError(f"event: expected one with event_id and user_id: {error}"))
        if event_id in self._recent:
            return Scored(self._recent[event_id], duplicate=True)
        name = self._ledger.keys.event(event_id)
        if self._ledger.knows(name):
            return Scored(self._written(name), duplicate=True)
        packed = None
        decider, began = self._decider, perf_counter()
        try:
            time = decider.time(event)
            if time < self._cut:
                raise InvalidArgumentError(
                    f"event_time: expected {_spelled(self._cut)} or later, got {_spelled(time)}; what is older was dropped "
                    "([fraud] keep_days)",
                    field="event_time",
                )
            if not self._decide or event.get("type") in self._decide:
                given = decider.given(event, time)
                counters = self._velocity.update_one(event)
                packed = pack_decision(decision := decider.decide(event, time, given, counters))
            else:
                self._velocity.update_one(event)
        except InvalidArgumentError as error:
            return Scored(error=error)
        self._newest = max(self._newest, time)
        subject = self._ledger.keys.subject(user_id)
        entries = [Entry(EVENT, time, subject, name, row)]
        if packed is not None:
            if self._timed is not None:
                self._timed(perf_counter() - began)
            self.tally.add(decision.decision, decider.went)
            name = bytes.fromhex(decision.decision_id)
            entries.append(Entry(EVENT, time, subject, name, pack_kept(made, counters, packed)))
        groups.append(entries)
        self._remember(event_id, packed)
        return Scored(packed)

    def _written(self, name: bytes) -> bytes | None:
        """The decision on an event of which the log knows and memory does not."""
        for _, rows in self._ledger.commits(naming=name):
            if rows[0][0].event == name:
                return pack_decision(read_kept(rows[1][1]).value()) if len(rows) > 1 else None
        return None

    def _remember(self, event_id: str, packed: bytes | None) -> None:
        self._recent[event_id] = packed
        if len(self._recent) > self._remembered:
            self._recent.popitem(last=False)

    def report(self, reports: Sequence[OutcomeReport]) -> list[bool | NotFoundError]:
        """Take outcomes in, on the disk when this returns: whether each is new, or why it was refused.

        Raises:
            StorageError: the disk refuses; nothing of the call is kept.
        """
        with self._lock:
            self._whole()
            outcomes: list[bool | NotFoundError] = []
            groups: list[list[Entry]] = []
            taken: set[bytes] = set()
            for report in reports:
                name = decision_name(report.decision_id)
                if name is None or not self._ledger.knows(name):
                    said = f"there is no decision {report.decision_id:.80}, or it was dropped or its user forgotten"
                    outcomes.append(NotFoundError(f"decision_id: {said}"))
                    continue
                own = report_id(report)
                new = own not in taken and not self._ledger.knows(own)
                outcomes.append(new)
                if new:
                    taken.add(own)
                    groups.append([Entry(EVENT, report.ts, name, own, pack_report(report))])
            self._ledger.write(groups, durable=True)
            if self._retention is not None:
                for [entry] in groups:
                    self._retention.reported(entry.subject, entry.time)
            return outcomes

    def activate(self, toml: str, expected: str = "", *, dry_run: bool = False) -> tuple[str, str]:
        """Decide by other rules from the next event on: the new set's version, and the old one's.

        Args:
            toml: as `RuleSet.from_toml` reads it, without functions.
            expected: the version that it is to replace; empty for any.
            dry_run: only say whether it would be taken.

        Raises:
            InvalidArgumentError: something is wrong in it; the old set goes on.
            ConflictError: another set decides than the one expected.
            StorageError: the disk refuses; the old set goes on.
        """
        rules = RuleSet.from_toml(toml, rule_columns(self.model.specs))
        decider = self._made(rules)
        with self._lock:
            self._whole()
            before = self.rules.version
            if expected and expected != before:
                raise ConflictError(
                    f"expected_version: expected {expected}, but {before} decides; read it, and try again"
                )
            if not dry_run and rules.version != before:
                self._versions.keep_rules(rules)
                self._ledger.write([[rules_entry(rules.version.encode(), _now())]], durable=True)
                self._use(decider)
            return rules.version, before

    def recall(self, decision_id: str) -> Recalled:
        """A decision with its event, counters and outcomes, made once more; see `recall`."""
        return recall(self._ledger, self._versions, decision_id)

    def of_user(self, user_id: str) -> list[dict[str, Any]]:
        """What the log holds of a user, in its order: each event, with what was decided on it and when. O(bytes of the log)."""
        held = []
        subject = self._ledger.keys.subject(user_id)
        for _, rows in self._ledger.commits(naming=subject):
            row, plain = rows[0]
            if row.subject == subject:
                kept = read_kept(rows[1][1]) if len(rows) > 1 else None
                decided = {} if kept is None else {"made": kept.made, "decision": kept.decision}
                held.append({"event": read_event(plain), **decided})
        return held

    def forget(self, user_id: str) -> int:
        """Have nothing of a user in the log: how many rows went. O(bytes of the log).

        What stays are the counters of what the user shared with others and of the user, under keyed hashes, until their windows
        have passed: without them, whoever is forgotten begins anew at the same device.

        Raises:
            StorageError: the disk refuses; call it again.
        """
        with self._rewriting:
            with self._lock:
                self._whole()
                self.checkpoint()
            rows = self._ledger.forget(self._ledger.keys.subject(user_id))
        with self._lock:
            self._recall_recent()
        return rows

    def retain(self, keep: timedelta, *, now: datetime | None = None) -> int:
        """Drop events older than `keep`, with what was decided on them, and take none so old from now on: how many rows went.

        What windows, undecided reviews and late reports need stays, see `retention`; counters do not change. Decisions go on
        meanwhile. O(bytes of the log).

        Args:
            keep: by event_time.
            now: by default the clock's.

        Raises:
            InvalidArgumentError: the windows need more.
            StorageError: the disk refuses; call it again.
        """
        check_keep(self.model, keep)
        moment = _now() if now is None else round(now.timestamp() * 1_000_000)
        with self._lock:
            self._whole()
            cut = min(moment - keep // _MICROSECOND, self._newest - windows_need(self.model) // _MICROSECOND)
            if cut <= 0:
                return 0
            self.checkpoint()
            if cut > self._cut:
                write_note(self._ledger.path, CUT, cut)
                self._cut = cut
            self._retention = retention = Retention(self._ledger, self._cut)
        try:
            return retention.run(self._lock, self._rewriting)
        finally:
            with self._lock:
                self._retention = None
                self._recall_recent()

    def backup(self, dest: str | os.PathLike[str]) -> dict[str, int]:
        """Copy the folder while it is used, counters and versions with it; what an earlier backup has is not copied again.

        Who was forgotten since is forgotten in the backup. The master keys are not in it. `recocore.state.restore` restores it.

        Returns:
            files, copied and bytes: of the backup, of which copied now, and their size.

        Raises:
            CorruptError: a file is damaged; the message names it.
            StorageError: the disk refuses.
        """
        with self._rewriting:
            with self._lock:
                self._whole()
                self._checkpoints.hold(name := self.checkpoint())
            try:
                return back_up_ledger(self._ledger, Path(dest), name)
            finally:
                self._checkpoints.hold("")

    def checkpoint(self) -> str:
        """Write the counters down, so that the next opening counts from here: the checkpoint's name.

        Raises:
            StorageError: the disk refuses.
        """
        with self._lock:
            self._ledger.flush()
            about = {"rules": self.rules.version, "newest": self._newest}
            name = self._checkpoints.write(self._ledger.last, self._velocity, about)
            self._since = 0
            return name

    def flush(self) -> None:
        """Wait until the device holds all that was answered.

        Raises:
            StorageError: the disk refuses.
        """
        self._ledger.flush()

    @property
    def followed(self) -> int | None:
        """The commit up to which a state was followed; None where none was.

        Raises:
            CorruptError: the note is damaged.
        """
        return read_note(self._ledger.path, FOLLOWED)

    def note_followed(self, commit: int) -> None:
        """Note how far a state was followed, once the device holds what came of it.

        Raises:
            StorageError: the disk refuses.
        """
        self._ledger.flush()
        write_note(self._ledger.path, FOLLOWED, commit)

    @property
    def waits_for_sync(self) -> bool:
        """Whether something was answered that the device may not hold yet."""
        return self._ledger.waits_for_sync

    def close(self) -> None:
        """Write the counters down and give up the folder."""
        with self._lock:
            try:
                if not self._broken:
                    self.checkpoint()
            finally:
                self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What follows is called with the lock held.

    def _made(self, rules: RuleSet) -> Decider:
        return Decider(self.model, rules, self.rings, skew_us=int(self.model.velocity["clock_skew"]))

    def _use(self, decider: Decider) -> None:
        self._decider = decider
        self.tally = RuleTally(decider.rules)

    def _whole(self) -> None:
        """Have counters that are those of the log."""
        if self._broken:
            _LOGGER.warning("the counters are made again from the log")
            self._rebuild()

    def _rebuild(self) -> None:
        self._broken = True
        after, self._velocity, about = self._checkpoints.latest(self.model.velocity, self._ledger.last)
        version, self._newest, self._since = str(about.get("rules", "")), int(about.get("newest", 0)), 0
        for commit, rows in self._ledger.commits(after=after):
            row, plain = rows[0]
            if row.kind == RULES:
                version = plain.decode()
            elif not is_report(plain):
                self._velocity.update_one(read_event(plain))
                self._newest = max(self._newest, row.time)
            self._since = commit - after
        self._use(self._made(self._rules_of(version)))
        self._recall_recent()
        self._broken = False

    def _rules_of(self, version: str) -> RuleSet:
        if version:
            try:
                return self._versions.rules(version, self.model)
            except (NotFoundError, InvalidArgumentError) as error:
                _LOGGER.warning("rules %s cannot decide, the model's own do: %s", version, error)
        return self.model.rules

    def _recall_recent(self) -> None:
        """Remember the latest events and decisions, as the log has them."""
        self._recent = OrderedDict()
        for _, rows in self._ledger.commits(after=max(0, self._ledger.last - self._remembered)):
            row, plain = rows[0]
            if row.kind != RULES and not is_report(plain):
                packed = pack_decision(read_kept(rows[1][1]).value()) if len(rows) > 1 else None
                self._remember(str(read_event(plain)["event_id"]), packed)


def _spelled(time: int) -> str:
    return datetime.fromtimestamp(time / 1_000_000, UTC).isoformat(timespec="seconds")


def _now() -> int:
    return round(datetime.now(UTC).timestamp() * 1_000_000)
