"""The page itself."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recocore.profiles.features import Features
from recocore.profiles.lifetime import LifetimeModels
from recocore.profiles.report import sections
from recocore.profiles.report.style import CSS
from recocore.profiles.segments import drift
from recocore.storage.plain_file import replace_plain

if TYPE_CHECKING:
    import os

    from recocore.profiles.segments import Retention, Segmentation
    from recocore.profiles.table import ProfileTable
    from recocore.profiles.tags import TagSet


def render(
    profiles: ProfileTable,
    *,
    title: str = "Customer profiles",
    retention: Retention | None = None,
    segments: Segmentation | None = None,
    tags: TagSet | None = None,
    before: ProfileTable | None = None,
) -> str:
    """A population of profiles as one HTML page: no script, nothing loaded, light and dark, from a phone's width up.

    Args:
        profiles: the population.
        title: the heading.
        retention: of the log behind them, for the heat map.
        segments: for the cards.
        tags: definitions, for their counts.
        before: an earlier build, for the drift.

    Returns:
        HTML. O(users x features); a second for a hundred thousand users.
    """
    money = sections.Money(profiles.currency, profiles.money_digits)
    plain = Features(profiles)
    bought = bool(np.isfinite(plain.numbers("btyd_frequency")).any())
    models = LifetimeModels.fit(profiles) if bought else None
    columns = None if models is None else models.features(profiles)
    features = plain if columns is None else Features(profiles, columns)
    parts = [
        sections.overview(features, money),
        f'<section class="pair">{sections.life_cycle(features)}{sections.rfm_grid(features, money)}</section>',
        sections.distributions(features, money),
        sections.segment_cards(segments, features, money),
        sections.cohorts(retention),
        sections.lifetime(models, columns, money),
        sections.week(profiles),
        sections.interests(profiles, features),
        sections.tag_list(tags, None if tags is None else tags.apply(features), features),
        sections.drifted(None if before is None else drift(Features(before), plain)),
    ]
    moment = f"{profiles.as_of_time:%Y-%m-%d %H:%M} UTC"
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"><style>{CSS}</style></head>\n<body><main>'
        f"<header><h1>{escape(title)}</h1>"
        f'<span class="soft">as of {moment} · cut points {profiles.cuts.version}</span></header>\n'
        f"{body}\n<footer>Definitions and sources: docs/profiles.md and docs/segments.md of recocore.</footer>"
        "</main></body></html>\n"
    )


def save_page(page: str, path: str | os.PathLike[str]) -> None:
    """Write a page, whole or not at all.

    Raises:
        OSError: the file system refuses.
    """
    replace_plain(Path(path), page.encode())
