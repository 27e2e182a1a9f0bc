"""The purchase and spend models beside the `lifetimes` package: python -m benchmarks.lifetime --customers 20000.

Both fit the same made-up customers to the same optimum, in turns, in one process; shown are medians over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.profiles.lifetime import BGNBD, GammaGamma, ModifiedBGNBD

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import Float64Array

    Columns = tuple[Float64Array, ...]

PARAMS = (0.6, 12.0, 0.8, 2.5)


def customers(count: int, seed: int = 0) -> Columns:
    """Frequency, recency, T in whole days, and mean value: a shop of two years, by the story of BG/NBD."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = PARAMS
    rates, chances = rng.gamma(r, 1 / alpha, count), rng.beta(a, b, count)
    ages = rng.integers(1, 730, count).astype(np.float64)
    frequency, recency, now = np.zeros(count), np.zeros(count), np.zeros(count)
    alive = np.arange(count)
    while len(alive):
        now[alive] += rng.exponential(1 / np.maximum(rates[alive], 1e-12))
        alive = alive[now[alive] <= ages[alive]]
        frequency[alive] += 1
        recency[alive] = now[alive]
        alive = alive[rng.random(len(alive)) >= chances[alive]]
    value = np.round(rng.gamma(3.0, 12.0, count) + 1, 2)
    return frequency, np.ceil(recency), ages, value


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lifetimes  # noqa: PLC0415  (a peer: the help should not need it)

        frequency, recency, ages, value = customers(given.customers)
        again = frequency > 0
        history, spend = (frequency, recency, ages), (frequency[again], value[again])
        pairs: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
            ("BG/NBD fit", lambda: BGNBD().fit(*history), lambda: lifetimes.BetaGeoFitter().fit(*history)),
            (
                "MBG/NBD fit",
                lambda: ModifiedBGNBD().fit(*history),
                lambda: lifetimes.ModifiedBetaGeoFitter().fit(*history),
            ),
            ("Gamma-Gamma fit", lambda: GammaGamma().fit(*spend), lambda: lifetimes.GammaGammaFitter().fit(*spend)),
        ]
        ours, theirs = pairs[0][1](), pairs[0][2]()
        pairs.append(
            (
                "purchases in 90 days",
                lambda: ours.expected_purchases(90, *history),
                lambda: theirs.conditional_expected_number_of_purchases_up_to_time(90, *history),
            )
        )
        print(
            f"{given.customers:,} customers, up to {int(frequency.max())} repeat purchases, {given.rounds} rounds in turns"
        )
        print(f"{'':<22}{'recocore':>12}{'lifetimes':>12}{'ratio':>8}")
        for name, our, their in pairs:
            mine, other = _race(our, their, given.rounds)
            print(f"{name:<22}{1e3 * mine:>9.1f} ms{1e3 * other:>9.1f} ms{other / mine:>8.1f}")
    for label, told in (("recocore", ours.params_), ("lifetimes", dict(theirs.params_))):
        print(f"{label}: {', '.join(f'{key} {told[key]:.4f}' for key in ours.params_)}")


def _race(our: Callable[[], Any], their: Callable[[], Any], rounds: int) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for side, call in zip(times, (our, their), strict=True):
            began = time.perf_counter()
            call()
            side.append(time.perf_counter() - began)
    return statistics.median(times[0]), statistics.median(times[1])


if __name__ == "__main__":
    main()
