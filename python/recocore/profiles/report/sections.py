"""The page's sections: what each says of a population, nothing where it has nothing to say."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from recocore.profiles.report.parts import bars, heat, histogram, listing, section, tiles
from recocore.profiles.report.words import label, percent, short
from recocore.profiles.schema import LIFECYCLE

if TYPE_CHECKING:
    import pyarrow as pa

    from recocore.profiles.features import Features
    from recocore.profiles.lifetime import LifetimeModels
    from recocore.profiles.segments import Retention, Segmentation
    from recocore.profiles.table import ProfileTable
    from recocore.profiles.tags import TagSet, TagTable
    from recocore.types import Float64Array

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONEY = {"spend_net", "spend_gross", "spend_refunded", "spend_decayed", "spend_min", "spend_max", "rfm_monetary",
          "btyd_mean_spend", "expected_spend", "clv", "discount_saved"}  # fmt: skip
_DISTRIBUTIONS = ("n_events", "n_orders", "spend_net", "rfm_recency", "gap_median", "session_events", "n_sessions",
                  "discount_affinity", "price_percentile")  # fmt: skip
_TOP = 10


class Money:
    """Amounts in minor units as people write them."""

    def __init__(self, currency: str | None, digits: int) -> None:
        self.currency = currency
        self._scale = 10.0**digits

    def __call__(self, minor: float) -> str:
        """Whole units, with the currency."""
        return f"{self.bare(minor)} {self.currency}" if self.currency else self.bare(minor)

    def bare(self, minor: float) -> str:
        """Whole units alone."""
        return short(minor / self._scale)

    def of(self, feature: str, value: float) -> str:
        """A feature's value, as money where it is one."""
        return self(value) if feature in _MONEY else short(value)


def overview(features: Features, money: Money) -> str:
    """The figures at the top."""
    orders, net = features.numbers("n_orders"), features.numbers("spend_net")
    buyers = int((orders > 0).sum())
    gross, refunded = (np.nansum(features.numbers(name)) for name in ("spend_gross", "spend_refunded"))
    fresh = int((features.numbers("days_since_last_event") <= 30).sum())
    entries = [
        ("Users", short(features.rows), f"{percent(_share(fresh, features.rows))} active in 30 days"),
        ("Events", short(np.nansum(features.numbers("n_events"))), ""),
        ("Buyers", short(buyers), f"{percent(_share(buyers, features.rows))} of users"),
        ("Repeat buyers", short((orders > 1).sum()), f"{percent(_share((orders > 1).sum(), buyers))} of buyers"),
        ("Net spend", money(np.nansum(net)), f"{money(_share(np.nansum(net), buyers))} a buyer" if buyers else ""),
        ("Refunded", percent(_share(refunded, gross)), f"of {money(gross)} gross"),
    ]
    return tiles(entries)


def life_cycle(features: Features) -> str:
    """How many users are in each state."""
    states = Counter(state for state in features["lifecycle"] if state is not None)
    if not states:
        return ""
    about = "Where users are in their life cycle at the moment of the build."
    return section("Life cycle", about, bars([(label(name), states[name]) for name in LIFECYCLE], sum(states.values())))


def distributions(features: Features, money: Money) -> str:
    """Histograms of what a marketing analyst looks at first."""
    drawn = []
    for name in _DISTRIBUTIONS:
        values = features.numbers(name)
        if name in ("spend_net", "n_orders", "discount_affinity"):
            values = values[features.numbers("n_orders") > 0]
        drawn.append(histogram(label(name), values, lambda value, name=name: money.of(name, value)))  # type: ignore[misc]
    about = "Users by value; spend, orders, discounts and gaps are of those who have bought."
    return section("Distributions", about, f'<div class="small">{"".join(drawn)}</div>')


def rfm_grid(features: Features, money: Money) -> str:
    """Users by the scores of recency and frequency, with what they spent."""
    r, f, spend = (features.numbers(name) for name in ("rfm_r", "rfm_f", "rfm_monetary"))
    known = np.isfinite(r) & np.isfinite(f)
    if not known.any():
        return ""
    rows, columns = f[known].astype(np.int64), r[known].astype(np.int64)
    size = max(5, int(rows.max()), int(columns.max()))
    counts, sums = np.zeros((size, size)), np.zeros((size, size))
    np.add.at(counts, (rows - 1, columns - 1), 1)
    np.add.at(sums, (rows - 1, columns - 1), np.nan_to_num(spend[known]))
    counts, sums = counts[::-1], sums[::-1]

    def text(row: int, column: int) -> str:
        if not counts[row, column]:
            return ""
        return (
            f"{short(counts[row, column])}<small>{escape(money.bare(sums[row, column] / counts[row, column]))}</small>"
        )

    names = [f"F {score}" for score in range(size, 0, -1)]
    unit = f" in {money.currency}" if money.currency else ""
    about = f"Users, and their mean net spend{unit}, by how recently (R) and how often (F) they bought; {size} is best."
    drawn = heat([f"R {score}" for score in range(1, size + 1)], names, counts, text, kind="grid")
    return section("RFM", about, drawn)


def week(profiles: ProfileTable) -> str:
    """When users are active, by the hour of their local week."""
    entries = pc.list_flatten(profiles.column("active_hours"))
    hours = pc.struct_field(entries, "hour").to_numpy()
    if not len(hours):
        return ""
    counts = np.bincount(hours, pc.struct_field(entries, "count").to_numpy(), minlength=168)[:168].reshape(7, 24)
    names = [f"{hour}" if hour % 3 == 0 else "" for hour in range(24)]
    drawn = heat(names, _DAYS, counts, lambda row, column: "", kind="week")
    busiest = int(counts.argmax())
    about = f"Events by hour of the users' local week; the busiest is {_DAYS[busiest // 24]} {busiest % 24}:00."
    return section("Hours of the week", about, drawn)


def interests(profiles: ProfileTable, features: Features) -> str:
    """What users like best."""
    drawn = []
    for name in profiles.config.interests:
        counted = Counter(value for value in features[f"top_{name}"] if value is not None)
        if counted:
            entries = [(str(value), float(count)) for value, count in counted.most_common(_TOP)]
            drawn.append(f"<figure><h3>{escape(label(name))}</h3>{bars(entries, features.rows)}</figure>")
    if not drawn:
        return ""
    about = f"Users by their strongest interest, the {_TOP} most frequent."
    return section("Interests", about, f'<div class="pair">{"".join(drawn)}</div>')


def lifetime(models: LifetimeModels | None, columns: pa.Table | None, money: Money) -> str:
    """What the purchase models expect."""
    if models is None or columns is None:
        return ""
    names = ("p_alive_mbg", "expected_purchases_mbg", "expected_spend", "clv")
    drawn = "".join(
        histogram(label(name), _known(columns, name), lambda value, name=name: money.of(name, value))  # type: ignore[misc]
        for name in names
    )
    fitted = [("BG/NBD", models.purchases), ("MBG/NBD", models.purchases_modified), ("Gamma-Gamma", models.spend)]
    rows = [
        (
            name,
            ", ".join(f"{key} {value:.4g}" for key, value in model.params_.items()),
            f"{model.log_likelihood_:,.1f}",
            f"{model.n_customers_:,}",
        )
        for name, model in fitted
        if model is not None
    ]
    table = listing(("model", "parameters", "log-likelihood", "customers"), rows, text=2)
    return section("Customer lifetime", "Of everybody who has bought.", f'<div class="small">{drawn}</div>{table}')


def cohorts(kept: Retention | None) -> str:
    """How cohorts stay."""
    if kept is None:
        return ""
    rates, last = kept.rates, kept.active.shape[1]
    names = [cohort[:7] if kept.period == "month" else cohort for cohort in kept.cohorts]
    rows = [f"{name} · {short(size)}" for name, size in zip(names, kept.sizes, strict=True)]
    ends = (kept.active >= 0).sum(axis=1) - 1
    strength = rates.copy()
    strength[:, 0] = np.where(np.isfinite(strength[:, 0]), 0.0, np.nan)  # always everybody: it would outshine the rest
    drawn = heat(
        [str(after) for after in range(last)],
        rows,
        strength,
        lambda row, column: escape(percent(float(rates[row, column]))),
        corner=f"{kept.period} · users",
        kind="cohorts",
        partial=lambda row, column: not kept.complete and column == ends[row],
    )
    about = f"Of those whose first event was in a {kept.period}, the share with an event so many {kept.period}s later."
    about += "" if kept.complete else f" Dashed: the {kept.period} is not over yet."
    return section("Retention", about, drawn)


def segment_cards(segments: Segmentation | None, features: Features, money: Money) -> str:
    """A card a segment: its size and what makes it stand out."""
    if segments is None:
        return ""
    assigned = segments.assign(features)
    cards = []
    for number, standouts in segments.explain(features, top=4).items():
        size = int((assigned == number).sum())
        share = size / max(1, features.rows)
        lines = "".join(
            f"<li>{escape(label(out.feature))} <b>{escape(money.of(out.feature, out.median))}</b> "
            f'<span class="{"up" if out.difference > 0 else "down"}">{"▲" if out.difference > 0 else "▼"} '
            f"{abs(out.difference):.1f} SD</span>"
            f'<br><span class="soft">all: {escape(money.of(out.feature, out.overall))}</span></li>'
            for out in standouts
        )
        cards.append(
            f'<div class="card"><h3>Segment {number}</h3><div>{short(size)} users · {percent(share)}</div>'
            f'<div class="share"><i style="width:{100 * share:.1f}%"></i></div>'
            f"<ul>{lines or '<li>Like everybody.</li>'}</ul></div>"
        )
    best = max(segments.silhouettes.values(), default=None)
    about = (
        "Medians of what stands out in each segment, with its distance from the mean of all in robust deviations (SD)."
    )
    about += "" if best is None else f" {len(cards)} segments have the best silhouette, {best:.2f}."
    return section("Segments", about, f'<div class="cards">{"".join(cards)}</div>')


def tag_list(tags: TagSet | None, given: TagTable | None, features: Features) -> str:
    """The tags by how many have them, with their rules."""
    if tags is None or given is None:
        return ""
    counts = given.counts()
    rows = [
        (
            tag.name,
            tag.about or tag.when.text,
            short(counts.get(tag.name, 0)),
            percent(counts.get(tag.name, 0) / max(1, features.rows)),
            tag.version,
        )
        for tag in sorted(tags.definitions, key=lambda tag: (-counts.get(tag.name, 0), tag.name))
    ]
    return section("Tags", "", listing(("tag", "rule", "users", "share", "version"), rows, text=2))


def drifted(table: pa.Table | None) -> str:
    """What has moved since an earlier build."""
    if table is None:
        return ""
    rows = [(label(row["feature"]), row["verdict"], f"{row['psi']:.3f}") for row in table.slice(0, 15).to_pylist()]
    about = "Population stability index since the earlier build, the most drifted first: below 0.1 stable, above 0.25 shifted."
    return section("Drift", about, listing(("feature", "verdict", "PSI"), rows, text=2))


def _known(table: pa.Table, name: str) -> Float64Array:
    return np.asarray(pc.drop_null(table.column(name)).to_numpy(), np.float64)


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")
