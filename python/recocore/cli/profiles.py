"""`recocore profiles`: who users are, from an event log: built, shown, grouped and reported."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa
import pyarrow.compute as pc

from recocore.cli.events import LogOptions, identities_option, joined_by, log_options, report_counts, report_table
from recocore.cli.profile_config import profile_config
from recocore.cli.profile_view import json_ready, print_profile, show_served
from recocore.cli.terminal import Group, console, json_option, note, print_json, table
from recocore.data import files
from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.profiles import ProfileTable, build
from recocore.profiles.features import Features
from recocore.profiles.lifetime import LifetimeModels
from recocore.profiles.report import render, save_page
from recocore.profiles.segment_popular import SegmentPopular
from recocore.profiles.segments import Segmentation, SegmentRule, members, retention
from recocore.profiles.segments.clustering import DEFAULT_FEATURES
from recocore.profiles.tags import TagSet

if TYPE_CHECKING:
    from recocore.data import EventBatch

_tags = click.option("--tags", "tags_file", metavar="FILE", help="Definitions of tags, TOML or JSON.")
_models = click.option(
    "--models",
    "models_folder",
    metavar="DIR",
    help="Purchase models that `profiles build --models` wrote; without it they are fitted each time.",
)


@click.group("profiles", cls=Group)
def command() -> None:
    """Build profiles of users from an event log, look at one, group them, and report on all.

    \b
    Examples:
      recocore profiles build events.parquet --out profiles.parquet
      recocore profiles show profiles.parquet ann
      recocore profiles segment profiles.parquet --out segments.json
      recocore profiles report profiles.parquet --events events.parquet --segments segments.json --out report.html
    """


@command.command("build")
@click.argument("events", metavar="EVENTS")
@click.option("--out", required=True, metavar="FILE", help="Where the profiles go: a Parquet file.")
@click.option("--as-of", "as_of", metavar="TIME", help="Only what was known before, ISO, UTC where it has no zone.  "
              "[default: just after the last event]")  # fmt: skip
@click.option(
    "--config", "config_file", metavar="FILE", help="Fields of ProfileConfig as TOML, durations such as '30d'."
)
@click.option("--models", "models_folder", metavar="DIR", help="Fit purchase models too, and keep them here.")
@identities_option
@json_option
@log_options
def build_profiles(
    events: str,
    out: str,
    as_of: str | None,
    config_file: str | None,
    models_folder: str | None,
    identities_file: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Build the profiles of all users in EVENTS, a Parquet or CSV file.

    \b
    Examples:
      recocore profiles build events.parquet --out profiles.parquet
      recocore profiles build events.parquet --out profiles.parquet --as-of 2026-03-01 --config profiles.toml
    """
    log = LogOptions.take(options)
    target = files.check_target(out)
    config = profile_config(config_file, log.weights, log.half_life)
    until = None if as_of is None else _moment(as_of)
    cleaned = log.read(events, joined_by(identities_file, until))
    moment = until or _after(cleaned.events)
    profiles = build(cleaned.events, moment, config)
    profiles.save(target)
    if models_folder is not None:
        LifetimeModels.fit(profiles).save(models_folder)
    facts = {
        "users": len(profiles),
        "as_of": profiles.as_of_time.isoformat(),
        "cuts": profiles.cuts.version,
        "currency": profiles.currency,
        "events": report_counts(cleaned),
        "out": out,
    }
    if as_json:
        print_json(facts)
        return
    console().print(report_table(cleaned))
    click.echo(f"{len(profiles):,} profiles as of {profiles.as_of_time:%Y-%m-%d %H:%M} UTC are in {out}")
    click.echo(f"next: recocore profiles report {out} --events {events} --out report.html")


@command.command("show")
@click.argument("words", nargs=-1, metavar="[PROFILES] USER")
@_tags
@_models
@click.option(
    "--server", metavar="ADDRESS", help="Ask a running service, such as localhost:50051, in place of PROFILES."
)
@click.option("--visitor", is_flag=True, help="With --server: the id is a visitor_id.")
@click.option("--ca", metavar="FILE", help="With --server: the certificate authority of its TLS, PEM.")
@click.option("--api-key-file", metavar="FILE", help="With --server: a file that holds the API key to call with.")
@json_option
def show(
    words: tuple[str, ...],
    tags_file: str | None,
    models_folder: str | None,
    server: str | None,
    visitor: bool,
    ca: str | None,
    api_key_file: str | None,
    as_json: bool,
) -> None:
    """Show the profile of USER: features, what is expected of them, and tags with their reasons.

    \b
    Examples:
      recocore profiles show profiles.parquet ann
      recocore profiles show profiles.parquet ann --tags tags.toml --json
      recocore profiles show profiles.parquet ann --models models/
      recocore profiles show ann --server localhost:50051
    """
    if server is not None:
        if len(words) != 1 or tags_file or models_folder:
            raise click.UsageError("with --server expected USER alone; tags and models are those of the service")
        show_served(server, words[0], visitor, ca, api_key_file, as_json)
        return
    if len(words) != 2:
        raise click.UsageError("expected PROFILES and USER, or USER and --server ADDRESS")
    if visitor or ca or api_key_file:
        raise click.UsageError("--visitor, --ca and --api-key-file go with --server")
    profiles, user = words
    loaded = ProfileTable.load(profiles)
    who: str | int = user
    if pa.types.is_integer(loaded.table.schema.field("user_id").type):
        if not user.removeprefix("-").isdecimal():
            raise NotFoundError(f"user_id: no profile of {user!r}: these users are whole numbers")
        who = int(user)
    row = loaded.row(who)
    features = _features(loaded, models_folder)
    expected = {name: value for name, value in features.row(who).items() if name not in Features(loaded)}
    given, reasons = [], []
    if tags_file is not None:
        tags = TagSet.read(tags_file, features.kinds)
        given = tags.apply(features).of(who)
        reasons = [str(tags.explain(features, who, tag.name)) for tag in given]
    if as_json:
        told = [{**dataclasses.asdict(tag), "why": why} for tag, why in zip(given, reasons, strict=True)]
        print_json(json_ready({"profile": row, "expected": expected, "tags": told}))
        return
    print_profile(row | expected, reasons)


@command.command("segment")
@click.argument("profiles", metavar="PROFILES")
@click.option("--out", metavar="FILE", help="Where the segmentation goes, for later runs: JSON.")
@click.option("--members", "members_file", metavar="FILE", help="Where each user's segment goes: Parquet.")
@click.option("--k", type=click.IntRange(min=2), metavar="N", help="How many.  [default: by silhouette, up to 10]")
@click.option("--features", default=",".join(DEFAULT_FEATURES), show_default=True, help="What users are compared by.")
@click.option("--previous", metavar="FILE", help="An earlier segmentation, whose numbers the segments keep.")
@click.option("--use", metavar="FILE", help="A segmentation to assign users by; nothing is fitted.")
@click.option("--where", metavar="EXPRESSION", help='A rule in place of likeness, such as "level >= 90".')
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the random choices.")
@json_option
def segment(
    profiles: str,
    out: str | None,
    members_file: str | None,
    k: int | None,
    features: str,
    previous: str | None,
    use: str | None,
    where: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Group the users of PROFILES by likeness (k-means), or by a rule.

    \b
    Examples:
      recocore profiles segment profiles.parquet --out segments.json
      recocore profiles segment profiles.parquet --previous segments.json --out today.json --members members.parquet
      recocore profiles segment profiles.parquet --where "lifecycle == 'at_risk' and level >= 80" --members vip.parquet
    """
    loaded = ProfileTable.load(profiles)
    known = _features(loaded)
    if where is not None:
        if k or previous or use or out:
            raise click.UsageError("expected either --where, or --k, --previous, --use and --out")
        _select(where, known, members_file, as_json)
        return
    if use is not None:
        if k or previous or out:
            raise click.UsageError("expected either --use, or --k, --previous and --out")
        segments = Segmentation.load(use)
    else:
        names = [name.strip() for name in features.split(",") if name.strip()]
        earlier = None if previous is None else Segmentation.load(previous)
        segments = Segmentation.fit(known, names, k, seed=seed, previous=earlier)
        if out is not None:
            segments.save(files.check_target(out))
    assigned = segments.assign(known)
    if members_file is not None:
        files.write_parquet(pa.table({"user_id": known.users, "segment": assigned}), members_file)
    said = segments.explain(known)
    sizes = {number: int((assigned == number).sum()) for number in segments.numbers}
    if as_json:
        listed = [
            {
                "segment": number,
                "users": sizes[number],
                "stands_out": [dataclasses.asdict(out_) for out_ in said[number]],
            }
            for number in segments.numbers
        ]
        print_json({"segments": listed, "silhouettes": {str(n): v for n, v in segments.silhouettes.items()}})
        return
    shown = table("segment", "stands out by", "users", "share", text=2)
    for number in segments.numbers:
        reasons = ", ".join(f"{o.feature} {o.median:,.4g} (all {o.overall:,.4g})" for o in said[number])
        shown.add_row(
            str(number), reasons or "nothing", f"{sizes[number]:,}", f"{sizes[number] / max(1, known.rows):.1%}"
        )
    console().print(shown)
    if segments.silhouettes:
        tried = ", ".join(f"{n}: {value:.3f}" for n, value in segments.silhouettes.items())
        click.echo(f"silhouettes by number of segments: {tried}")


@command.command("popular")
@click.argument("profiles", metavar="PROFILES")
@click.argument("events", metavar="EVENTS")
@click.option(
    "--segments", "segments_file", required=True, metavar="FILE", help="A segmentation of `profiles segment`."
)
@click.option("--out", required=True, metavar="FILE", help="Where it goes: JSON, for [profiles] segment_popular.")
@click.option("--top", type=click.IntRange(min=1), default=50, show_default=True, help="Items of a segment.")
@json_option
@log_options
def popular(profiles: str, events: str, segments_file: str, out: str, top: int, as_json: bool, **options: Any) -> None:
    """Say what is popular in each segment of PROFILES by the purchases in EVENTS, for a service to show to new users.

    \b
    Examples:
      recocore profiles popular profiles.parquet events.parquet --segments segments.json --out popular.json
    """
    target = files.check_target(out)
    loaded = ProfileTable.load(profiles)
    known = _features(loaded)
    segments = Segmentation.load(segments_file)
    users, numbers = known.users.to_pylist(), segments.assign(known).tolist()
    groups: dict[str, list[Any]] = {str(number): [] for number in segments.numbers}
    for user, number in zip(users, numbers, strict=True):
        groups[str(number)].append(user)
    log = LogOptions.take(options)
    counted = SegmentPopular.count(log.read(events).events, groups, types=loaded.config.purchase_types, top=top)
    counted.save(target)
    if as_json:
        print_json({"segments": {name: list(items) for name, items in counted.items.items()}, "out": out})
        return
    shown = table("segment", "most popular", "items", text=2)
    for name, items in counted.items.items():
        shown.add_row(name, ", ".join(items[:5]), f"{len(items):,}")
    console().print(shown)


@command.command("report")
@click.argument("profiles", metavar="PROFILES")
@click.option("--out", required=True, metavar="FILE", help="Where the page goes: HTML.")
@click.option("--events", metavar="EVENTS", help="The log behind the profiles, for retention.")
@click.option("--period", type=click.Choice(["day", "week", "month"]), default="month", show_default=True,
              help="Of the retention's cohorts.")  # fmt: skip
@click.option(
    "--segments", "segments_file", metavar="FILE", help="A segmentation, for its cards.  [default: a fresh one]"
)
@click.option("--before", metavar="FILE", help="Earlier profiles, to measure the drift since.")
@click.option("--title", default="Customer profiles", show_default=True, help="The page's heading.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of a fresh segmentation.")
@identities_option
@_tags
@json_option
@log_options
def report(
    profiles: str,
    out: str,
    events: str | None,
    period: str,
    segments_file: str | None,
    before: str | None,
    title: str,
    seed: int,
    identities_file: str | None,
    tags_file: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Write one HTML page about all users of PROFILES; it loads nothing, and can be sent as it is.

    \b
    Examples:
      recocore profiles report profiles.parquet --out report.html
      recocore profiles report profiles.parquet --events events.parquet --tags tags.toml --out report.html
    """
    log = LogOptions.take(options)
    target = files.check_target(out)
    loaded = ProfileTable.load(profiles)
    known = _features(loaded)
    kept = None
    if events is not None:
        read = log.read(events, joined_by(identities_file, loaded.as_of_time)).events
        kept = retention(read, loaded.as_of_time, period, loaded.config.timezone)  # type: ignore[arg-type]  # click checked
    if segments_file is not None:
        segments: Segmentation | None = Segmentation.load(segments_file)
    else:
        segments = _fresh_segments(known, seed)
    page = render(
        loaded,
        title=title,
        retention=kept,
        segments=segments,
        tags=None if tags_file is None else TagSet.read(tags_file, known.kinds),
        before=None if before is None else ProfileTable.load(before),
    )
    save_page(page, target)
    if as_json:
        print_json({"out": out, "bytes": len(page.encode()), "users": len(loaded)})
    else:
        click.echo(f"the report of {len(loaded):,} profiles is in {out} ({len(page.encode()) / 1024:.0f} KiB)")


def _features(profiles: ProfileTable, models_folder: str | None = None) -> Features:
    """The features of profiles, and those of the purchase models where somebody has bought."""
    if models_folder is not None:
        try:
            models = LifetimeModels.load(models_folder)
        except FileNotFoundError:
            raise NotFoundError(
                f"{models_folder}: no purchase models; make them with `profiles build --models`"
            ) from None
        return Features(profiles, models.features(profiles))
    if not pc.count(profiles.column("btyd_frequency")).as_py():
        return Features(profiles)
    return Features(profiles, LifetimeModels.fit(profiles).features(profiles))


def _fresh_segments(features: Features, seed: int) -> Segmentation | None:
    try:
        return Segmentation.fit(features, seed=seed)
    except InvalidArgumentError as error:
        note(f"no segments: {error}")
        return None


def _select(where: str, features: Features, members_file: str | None, as_json: bool) -> None:
    try:
        rule = SegmentRule.parse("selected", where, features.kinds)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"--where: {str(error).removeprefix('when: ')}", field="where") from error
    found = members([rule], features)
    if members_file is not None:
        files.write_parquet(found.select(["user_id"]), members_file)
    if as_json:
        print_json(
            {"where": rule.when.canonical, "version": rule.version, "users": found.num_rows, "of": features.rows}
        )
    else:
        click.echo(f"{found.num_rows:,} of {features.rows:,} users: {rule.when.canonical} (version {rule.version})")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"expected a time such as 2026-03-01T12:00+08:00, got {text!r}", param_hint="--as-of"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _after(events: EventBatch) -> datetime:
    """Just after everything of a log has happened and was known."""
    latest = [pc.max(events.column(name)).as_py() for name in ("event_time", "known_time") if events.has(name)]
    known: list[datetime] = [moment for moment in latest if moment is not None]
    if not known:
        raise InvalidArgumentError(
            "events: expected event_time, got none; name its source with --columns event_time=SOURCE"
        )
    return max(known) + timedelta(microseconds=1)
