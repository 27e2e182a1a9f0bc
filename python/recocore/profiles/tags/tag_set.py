"""TagSet: the definitions of all tags, read whole or not at all, and what they say of users."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.checks import is_finite_number
from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.expressions import Compiled, Expression
from recocore.profiles.consent import checked as checked_purposes
from recocore.profiles.tags.definitions import TagDefinition, spell
from recocore.profiles.tags.tag_table import COLUMNS, TagTable

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Mapping

    from recocore.expressions import Comparison, Kind
    from recocore.profiles.features import Features
    from recocore.types import AnyArray, BoolArray

_TAG_KEYS = ("name", "when", "value", "value_of", "weight", "weight_of", "about", "dimension", "purpose")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a user has a tag, or has not.

    Attributes:
        definition: the rule, by its version.
        held: whether the user has it; None where the rule has no result for them.
        observed: every feature that the rule reads, with the user's value.
        comparisons: every comparison of the rule with both sides; none where it is a function.
    """

    definition: TagDefinition
    held: bool | None
    observed: Mapping[str, object]
    comparisons: tuple[Comparison, ...]

    def __str__(self) -> str:
        said = {True: "has", False: "has not", None: "cannot be said to have"}[self.held]
        parts = [f"{c.text} ({'missing' if c.observed is None else spell(c.observed)})" for c in self.comparisons]
        parts = parts or [f"{name} = {'missing' if v is None else spell(v)}" for name, v in self.observed.items()]
        return f"{said} {self.definition.name} (version {self.definition.version}): {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class TagSet:
    """Definitions in their order, and the weights of their dimensions.

    Attributes:
        definitions: each name once.
        dimensions: dimension → its weight for everybody, above 0; see `dimension_scores`.

    Example:
        >>> from recocore.profiles.features import Features
        >>> table = pa.table({"user_id": ["ann", "bob"], "level": [95, 40], "n_orders": [7, 1]})
        >>> features = Features(table)
        >>> tags = TagSet.parse(
        ...     {"tags": [{"name": "big_spender", "when": "level >= 90", "weight_of": "level / 100"}]}, features.kinds
        ... )
        >>> given = tags.apply(features, at=datetime(2026, 3, 1, tzinfo=UTC))
        >>> [(tag.name, tag.value, tag.weight) for tag in given.of("ann")], given.of("bob")
        ([('big_spender', 'true', 0.95)], [])
        >>> str(tags.explain(features, "bob", "big_spender")).split(": ")[1]
        'level >= 90 (40)'
    """

    definitions: tuple[TagDefinition, ...]
    dimensions: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        twice = [name for name, count in Counter(tag.name for tag in self.definitions).items() if count > 1]
        if twice:
            raise InvalidArgumentError(f"definitions: expected each name once, got {', '.join(twice)} again")
        object.__setattr__(self, "dimensions", MappingProxyType(dict(self.dimensions)))
        for name, weight in self.dimensions.items():
            if not is_finite_number(weight) or weight <= 0:
                raise InvalidArgumentError(f"dimensions: expected a weight above 0 for {name}, got {weight!r}")
        named = {tag.dimension for tag in self.definitions if tag.dimension}
        if unknown := sorted(named - set(self.dimensions)):
            raise InvalidArgumentError(f"dimensions: expected a weight for {', '.join(unknown)}, got none")

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits of the versions of all definitions and the weights of dimensions."""
        identity = [[tag.version for tag in self.definitions], sorted(self.dimensions.items())]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        kinds: Mapping[str, Kind],
        functions: Mapping[str, Callable[..., Any]] | None = None,
    ) -> TagSet:
        """Read a TOML file, or a JSON file whose name ends so: `[dimensions]`, and `[[tags]]` with arguments of `make`.

        Raises:
            NotFoundError: no such file.
            InvalidArgumentError: as `parse`.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NotFoundError(f"{path}: no such file of tags") from None
        except UnicodeDecodeError:
            raise InvalidArgumentError(f"{path}: expected UTF-8", field="path") from None
        try:
            body = json.loads(text) if str(path).endswith(".json") else tomllib.loads(text)
        except ValueError as error:
            raise InvalidArgumentError(f"{path}: {error}", field="path") from None
        try:
            return cls.parse(body, kinds, functions)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"{path}: {error}", field="path") from None

    @classmethod
    def parse(
        cls, body: Any, kinds: Mapping[str, Kind], functions: Mapping[str, Callable[..., Any]] | None = None
    ) -> TagSet:
        """Check what a file holds as a whole.

        Args:
            body: the keys `tags`, a list of arguments of `TagDefinition.make`, and `dimensions`.
            kinds: the features that there are.
            functions: name → Python function, for rules that are spelled `function:name`.

        Raises:
            InvalidArgumentError: one message with everything that is wrong.
        """
        wrong: list[str] = []
        if not isinstance(body, dict) or not isinstance(body.get("tags", []), list):
            raise InvalidArgumentError("expected a table with a list of tags", field="tags")
        wrong += [f"{key}: expected tags and dimensions" for key in body if key not in ("tags", "dimensions")]
        definitions: list[TagDefinition] = []
        for place, given in enumerate(body.get("tags", [])):
            label = f"tags[{place}]" + (f" ({given['name']})" if isinstance(given, dict) and "name" in given else "")
            try:
                definitions.append(_definition(given, kinds, functions or {}))
            except InvalidArgumentError as error:
                wrong.append(f"{label}: {error}")
        try:
            made = cls(tuple(definitions), body.get("dimensions", {}))
        except (InvalidArgumentError, TypeError, ValueError) as error:
            wrong.append(str(error))
        if wrong:
            raise InvalidArgumentError("; ".join(wrong), field="tags")
        return made

    def apply(
        self,
        features: Features,
        at: datetime | None = None,
        previous: TagTable | None = None,
        withdrawn: Mapping[Any, Collection[str]] | None = None,
    ) -> TagTable:
        """The tags of every user. O(users x parts of the rules).

        A user for whom a rule has no result, because a value that it looks at is missing, does not have the tag.

        Args:
            features: what is known of the users.
            at: the time of the tags; by default `as_of` of the profiles.
            previous: the tags of an earlier run: who had the same value of the same version keeps its time.
            withdrawn: user → purposes that they no longer allow: they have no tags that are built for those.

        Raises:
            InvalidArgumentError: features without `as_of` and no `at`, or without a column that a rule reads.
        """
        if at is None:
            if features.as_of is None:
                raise InvalidArgumentError("at: expected a time, as these profiles do not say theirs", field="at")
            at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=features.as_of)
        refusals = _refusals(features, withdrawn or {})
        parts, errors = [_no_rows(features)], {}
        for order, tag in enumerate(self.definitions):
            part, failed = _rows(tag, features, refusals.get(tag.purpose))
            parts.append(part.append_column("order", pa.repeat(order, part.num_rows)))
            if failed:
                errors[tag.name] = failed
        whole = pa.concat_tables(parts).sort_by([("row", "ascending"), ("order", "ascending")])
        constant = {"source": pa.scalar("rule"), "updated": pa.scalar(at, COLUMNS["updated"])}
        columns = {
            name: pa.repeat(constant[name], whole.num_rows) if name in constant else whole.column(name)
            for name in ("user_id", *COLUMNS)
        }
        table = pa.table(columns)
        return TagTable(table if previous is None else _keep_times(table, previous.table), errors)

    def explain(self, features: Features, user_id: Any, name: str) -> Explanation:
        """Why a user has a tag, or has not, with the values that were observed.

        Raises:
            NotFoundError: no such tag or user.
        """
        tag = next((tag for tag in self.definitions if tag.name == name), None)
        if tag is None:
            raise NotFoundError(f"name: expected one of {', '.join(t.name for t in self.definitions)}, got {name!r}")
        row = features.row(user_id)
        at = features.position(user_id)
        values, errors = tag.when.evaluate({column: features[column][at : at + 1] for column in tag.when.names})
        held = None if errors[0] else bool(values[0])
        return Explanation(tag, held, {column: row[column] for column in tag.when.names}, tag.when.explain(row))


def _definition(given: Any, kinds: Mapping[str, Kind], functions: Mapping[str, Callable[..., Any]]) -> TagDefinition:
    if not isinstance(given, dict):
        raise InvalidArgumentError(f"expected a table, got {given!r:.60}")
    unknown = [key for key in given if key not in _TAG_KEYS]
    if unknown:
        raise InvalidArgumentError(f"{', '.join(unknown)}: expected {', '.join(_TAG_KEYS)}")
    for both in (("value", "value_of"), ("weight", "weight_of")):
        if set(both) <= set(given):
            raise InvalidArgumentError(f"{both[1]}: expected either {both[0]} or {both[1]}, got both")
    if "name" not in given or "when" not in given:
        raise InvalidArgumentError("expected name and when")
    arguments = dict(given)
    for key in ("when", "value_of", "weight_of"):
        text = arguments.get(key)
        if text is not None and not isinstance(text, str):
            raise InvalidArgumentError(f"{key}: expected an expression, got {text!r:.60}")
        if text is not None and text.startswith("function:"):
            named = text.removeprefix("function:").strip()
            if named not in functions:
                known = ", ".join(sorted(functions)) or "none"
                raise InvalidArgumentError(f"{key}: expected one of the functions given ({known}), got {named!r}")
            arguments[key] = functions[named]
    return TagDefinition.make(arguments.pop("name"), arguments.pop("when"), kinds, **arguments)


def _no_rows(features: Features) -> pa.Table:
    """What `_rows` gives of nobody, with the order of the definition."""
    kinds = {"user_id": features.users.type, "row": pa.int64(), "name": pa.string(), "value": pa.string()}
    kinds |= {"weight": pa.float64(), "version": pa.string(), "order": pa.int64()}
    return pa.schema(list(kinds.items())).empty_table()


def _rows(tag: TagDefinition, features: Features, refused: BoolArray | None) -> tuple[pa.Table, int]:
    """Who has a tag, as columns, and for how many it has no result."""
    held, errors = tag.when.evaluate(features)
    failed = np.asarray(errors, np.bool_)
    has = np.asarray(held, np.bool_) & ~failed
    if refused is not None:
        has &= ~refused
        failed = failed & ~refused
    weights, bad_weights = _values(tag.weight, features, has)
    values, bad_values = _values(tag.value, features, has)
    with np.errstate(invalid="ignore"):
        bad = bad_weights | bad_values | (np.asarray(weights, np.float64) < 0)
    rows = np.flatnonzero(has)[~bad]
    texts = [tag.value] * len(rows) if isinstance(tag.value, str) else [spell(_bare(v)) for v in values[~bad]]
    part = pa.table(
        {
            "user_id": features.users.take(pa.array(rows)),
            "row": rows,
            "name": pa.repeat(tag.name, len(rows)),
            "value": pa.array(texts, pa.string()),
            "weight": pa.array(np.asarray(weights, np.float64)[~bad]),
            "version": pa.repeat(tag.version, len(rows)),
        }
    )
    return part, int(failed.sum() + bad.sum())


def _values(
    part: str | float | Expression | Compiled, features: Features, has: BoolArray
) -> tuple[AnyArray, BoolArray]:
    """A part's value for everybody who has the tag, and who has none."""
    count = int(has.sum())
    if isinstance(part, (Expression, Compiled)):
        values, errors = part.evaluate({name: features[name][has] for name in part.names})
        return values, np.asarray(errors, np.bool_)
    return np.full(count, part if isinstance(part, float) else np.nan), np.zeros(count, np.bool_)


def _bare(value: Any) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _refusals(features: Features, withdrawn: Mapping[Any, Collection[str]]) -> dict[str, BoolArray]:
    """Purpose → who does not allow it."""
    users: dict[str, list[Any]] = {}
    for user, purposes in withdrawn.items():
        for purpose in checked_purposes(purposes):
            users.setdefault(purpose, []).append(user)
    return {
        purpose: np.asarray(
            pc.is_in(features.users, value_set=pa.array(listed, features.users.type)).to_numpy(), np.bool_
        )
        for purpose, listed in users.items()
    }


def _keep_times(table: pa.Table, previous: pa.Table) -> pa.Table:
    """The earlier time of each tag that the same user had before with the same value and version."""
    keys = ["user_id", "name", "value", "version"]
    before = previous.select([*keys, "updated"]).rename_columns([*keys, "before"])
    numbered = table.append_column("place", pa.array(np.arange(table.num_rows)))
    joined = numbered.join(before, keys, join_type="left outer").sort_by("place")
    times = pc.coalesce(joined.column("before"), joined.column("updated"))
    return table.set_column(table.column_names.index("updated"), table.schema.field("updated"), times)
