"""The scenario: its cases, and what is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.harness.scenario import Case, Inputs, Scenario, WrongResultError
from benchmarks.profiles import log as logs
from benchmarks.profiles.features import COLUMNS, compare, of_users

if TYPE_CHECKING:
    from pathlib import Path

_SAMPLED = 100


@dataclass(frozen=True, slots=True)
class Parameters:
    """Profiles of all users of one log.

    Attributes:
        log: synthetic (with `events`) or online-retail.
        events: of the synthetic log.
        coded: texts are codes of dictionaries, as data frames keep them, and not strings.

    Example:
        >>> print(Parameters("synthetic", 200_000))
        synthetic log of 200,000 events: 33 features of every user
    """

    log: str
    events: int = 0
    coded: bool = False

    def __str__(self) -> str:
        size = f" log of {self.events:,} events" if self.events else ""
        form = ", texts as codes" if self.coded else ""
        return f"{self.log}{size}{form}: {len(COLUMNS) + 5} features of every user"


class ProfileScenario(Scenario[Parameters]):
    """A log becomes one row a user."""

    name: ClassVar[str] = "profiles"
    title: ClassVar[str] = "User profiles"
    about: ClassVar[str] = (
        "From the log in memory to one row a user: counts by type, distinct items, days, sessions and orders, money as "
        "whole cents, decayed spend, decayed interests by category and brand (the best five), the hours of the week, the "
        "median gap between orders, and RFM scores. All start from the same Arrow table and make their own frames of it, "
        "pandas with categoricals; texts are strings, or codes where a case says so. recocore computes all its other "
        "features too. Results are checked first: 100 users against plain Python, all users against the first right "
        "result, whole numbers exactly, others to 1e-9."
    )
    work_unit: ClassVar[str] = "events"
    repeats: ClassVar[int] = 5
    cases = (
        Case("tiny", Parameters("synthetic", 5_000), when="named"),
        Case("synthetic_200k", Parameters("synthetic", 200_000), when="quick", curve="events"),
        Case("online_retail", Parameters("online-retail")),
        Case("online_retail_coded", Parameters("online-retail", coded=True)),
        Case("synthetic_2m", Parameters("synthetic", 2_000_000), curve="events"),
        Case("synthetic_2m_coded", Parameters("synthetic", 2_000_000, coded=True)),
        Case("synthetic_10m", Parameters("synthetic", 10_000_000), when="large", curve="events"),
        Case("synthetic_10m_coded", Parameters("synthetic", 10_000_000, coded=True), when="large"),
    )

    def prepare(self, parameters: Parameters, folder: Path, data: Path) -> Inputs:
        """Write the log."""
        online = parameters.log == "online-retail"
        table = logs.online_retail(data) if online else logs.synthetic(parameters.events)
        table = logs.coded(table) if parameters.coded else table
        pq.write_table(table, folder / "log.parquet")
        users = len(pc.unique(table.column("user_id")))
        return Inputs(
            files={"log": folder / "log.parquet"},
            work=float(table.num_rows),
            facts={"events": table.num_rows, "users": users},
        )

    def check(self, parameters: Parameters, inputs: Inputs, result: Path) -> None:
        """Compare some users with plain Python."""
        found = pq.read_table(result)
        log = logs.load(inputs.files)
        if found.column_names != COLUMNS or found.num_rows != len(pc.unique(log.column("user_id"))):
            raise WrongResultError(f"expected {len(COLUMNS)} columns and one row a user")
        rows = np.random.default_rng(5).choice(found.num_rows, min(_SAMPLED, found.num_rows), replace=False)
        sampled = {row["user_id"]: row for row in found.take(np.sort(rows)).to_pylist()}
        for user, expected in of_users(log, list(sampled), logs.moment(log)).items():
            compare(sampled[user], expected)

    def agree(self, parameters: Parameters, result: Path, accepted: Path) -> None:
        """Compare all users, scores too."""
        found, expected = pq.read_table(result).to_pylist(), pq.read_table(accepted).to_pylist()
        for row, wanted in zip(found, expected, strict=True):
            compare(row, wanted)


SCENARIO = ProfileScenario()
