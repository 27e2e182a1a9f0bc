"""The models of this folder over a table of profiles: fitted to it, and its further columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pyarrow as pa

from recocore.errors import CorruptError, InvalidArgumentError
from recocore.profiles.features import Features
from recocore.profiles.lifetime.inputs import column, histories, refuse
from recocore.profiles.lifetime.purchases import BGNBD, ModifiedBGNBD
from recocore.profiles.lifetime.spend import GammaGamma
from recocore.profiles.lifetime.value import present_value
from recocore.storage.document import digest, take
from recocore.storage.sealed_file import load_sealed, save_sealed

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from recocore.profiles.table import ProfileTable
    from recocore.types import BoolArray, Float64Array

# The columns of `LifetimeModels.features`, in their order.
LIFETIME_FEATURES: Final = (
    *("p_alive", "expected_purchases", "p_alive_mbg", "expected_purchases_mbg", "expected_spend", "clv"),
)

_FILE, _KIND, _FORMAT = "models.json", "lifetime models", 1
# What a folder held when each model had a file of its own, which could be of different fits.
_ONE_BY_ONE = ("bgnbd.json", "mbgnbd.json", "gamma_gamma.json")
# Days ahead of the expected purchases: a quarter.
_AHEAD = 90.0
# A year of 30-day periods, and a rate a month that is about 12.7 % a year: the defaults of `clv`.
_MONTHS, _RATE = 30.0 * np.arange(1, 13), 0.01


@dataclass(frozen=True, slots=True)
class LifetimeModels:
    """The fitted models behind the lifetime columns; refit them nightly, and score each profile as it changes.

    Attributes:
        purchases: BG/NBD.
        purchases_modified: MBG/NBD, under which a one-time buyer may have left.
        spend: Gamma-Gamma, in minor units; None where no customer has bought again.
    """

    purchases: BGNBD
    purchases_modified: ModifiedBGNBD
    spend: GammaGamma | None

    @classmethod
    def fit(cls, profiles: ProfileTable | pa.Table, penalizer: float = 0.0) -> Self:
        """Learn from the columns `btyd_*` of everybody who has bought.

        Raises:
            InvalidArgumentError: nobody has bought, or the columns are not there.
        """
        x, last, age, mean = _histories(profiles)
        bought = np.isfinite(x)
        if not bought.any():
            raise InvalidArgumentError(
                "profiles: expected somebody with a purchase, got none; see purchase_types of the configuration",
                field="profiles",
            )
        x, last, age, mean = x[bought], last[bought], age[bought], mean[bought]
        again = (x > 0) & (mean > 0)
        return cls(
            BGNBD(penalizer).fit(x, last, age),
            ModifiedBGNBD(penalizer).fit(x, last, age),
            GammaGamma(penalizer).fit(x[again], mean[again]) if again.any() else None,
        )

    @property
    def version(self) -> str:
        """Names the content: models of another fit have another."""
        return digest(self._body())[:12]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the models as one JSON document, `models.json`, into a folder, which is made where there is none.

        The document is replaced in one step: whoever reads it has all models of one fit, whatever ends this call.

        Raises:
            OSError: the file system refuses; what was there before stays.
        """
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        save_sealed(path / _FILE, _KIND, _FORMAT, {"version": self.version, **self._body()})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: nothing is there.
            CorruptError: the document is damaged, of another kind or version.
        """
        path = Path(folder) / _FILE
        if not path.exists() and any((path.parent / name).exists() for name in _ONE_BY_ONE):
            raise CorruptError(
                f"{folder}: expected {_FILE}, which holds all models of one fit, got a file for each model, as earlier "
                "versions wrote; fit them again with `recocore profiles build --models`"
            )
        body = load_sealed(path, _KIND, _FORMAT)
        try:
            spend = None if body.get("spend") is None else GammaGamma.from_body(take(body, "spend", dict))
            models = cls(
                BGNBD.from_body(take(body, "purchases", dict)),
                ModifiedBGNBD.from_body(take(body, "purchases_modified", dict)),
                spend,
            )
            if (version := take(body, "version", str)) != models.version:
                raise CorruptError(f"version: expected {models.version}, that of its models, got {version!r:.40}")
        except CorruptError as error:
            raise CorruptError(f"{path}: {error}; save the models again") from None
        return models

    def _body(self) -> dict[str, Any]:
        return {
            "purchases": self.purchases.to_body(),
            "purchases_modified": self.purchases_modified.to_body(),
            "spend": None if self.spend is None else self.spend.to_body(),
        }

    def features(self, profiles: ProfileTable | pa.Table, ahead: float = _AHEAD) -> pa.Table:
        """Columns beside those of the profiles, for the same users in the same order; null without a purchase.

        Args:
            profiles: who to look at; they need not be those of `fit`.
            ahead: days ahead of `expected_purchases`.

        Returns:
            `user_id`, `p_alive` and `expected_purchases` by BG/NBD, `p_alive_mbg` and `expected_purchases_mbg` by MBG/NBD,
            `expected_spend` of a purchase and `clv` of twelve months of 30 days by MBG/NBD and Gamma-Gamma, at 1 % a month,
            both in minor units and null where there is no spend model or its mean is infinite.

        Raises:
            InvalidArgumentError: columns `btyd_*` that are not there or contradict each other, or a negative `ahead`.
        """
        features = Features(profiles)
        x, last, age, mean = _histories(profiles)
        bought = np.isfinite(x)
        days = column(ahead, "ahead")
        refuse(days < 0, days, "ahead", "at least 0", "it is how many days to look ahead")
        x, last, age = histories(x[bought], last[bought], age[bought])
        made = self._expected(x, last, age, np.nan_to_num(mean[bought]), ahead)
        return pa.table({"user_id": features.users, **{name: _spread(values, bought) for name, values in made.items()}})

    def row(self, profile: Mapping[str, Any], ahead: float = _AHEAD) -> dict[str, float]:
        """What `features` says of one user, equal to 1e-12 relative, and `horizon_days`; without what is null there.

        Args:
            profile: as `Updater.row` gives it.
            ahead: days ahead of `expected_purchases`.
        """
        if profile.get("btyd_frequency") is None:
            return {}
        names = ("frequency", "recency", "t", "mean_spend")
        x, last, age, mean = (np.array([float(profile.get(f"btyd_{name}") or 0)]) for name in names)
        made = {name: float(values[0]) for name, values in self._expected(x, last, age, mean, ahead).items()}
        return {"horizon_days": ahead, **{name: value for name, value in made.items() if np.isfinite(value)}}

    def _expected(
        self, x: Float64Array, last: Float64Array, age: Float64Array, mean: Float64Array, ahead: float
    ) -> dict[str, Float64Array]:
        """Each column of those who have bought; not finite where there is no value."""
        horizons = np.array([ahead])
        alive, bought = self.purchases.outlook(horizons, x, last, age)
        alive_mbg, bought_mbg = self.purchases_modified.outlook(np.append(horizons, _MONTHS), x, last, age)
        spend = np.full(len(x), np.nan)
        if self.spend is not None:
            spend = self.spend.expected_spend(np.where(mean > 0, x, 0.0), mean)
        columns = (alive, bought[0], alive_mbg, bought_mbg[0], spend, spend * present_value(bought_mbg[1:], _RATE))
        return dict(zip(LIFETIME_FEATURES, columns, strict=True))


def lifetime_features(profiles: ProfileTable | pa.Table, ahead: float = _AHEAD) -> pa.Table:
    """`LifetimeModels.fit` and its `features` on the same profiles.

    Raises:
        InvalidArgumentError: nobody has bought, or the columns `btyd_*` are not there.
    """
    return LifetimeModels.fit(profiles).features(profiles, ahead)


def _histories(profiles: ProfileTable | pa.Table) -> list[Float64Array]:
    features = Features(profiles)
    return [features.numbers(f"btyd_{name}") for name in ("frequency", "recency", "t", "mean_spend")]


def _spread(values: Float64Array, rows: BoolArray) -> pa.Array:
    """Values of some rows as a column of all, null elsewhere."""
    whole = np.full(len(rows), np.nan)
    whole[rows] = values
    return pa.array(whole, mask=~np.isfinite(whole))
