"""Settings from a file, the environment and options, and what is said of wrong ones."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  (read from the annotations at run time)
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.service.hosting import config as hosting
from recocore.service.sections import Given, keys_of, read_section, shown
from recocore.service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "correct horse battery staple"


def write(folder: Path, text: str) -> Path:
    path = folder / "recocore.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_later_wins(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nport = 1\nthreads = 1\nmax_calls = 1\n[logs]\nslow_milliseconds = 5\n")
    environ = {"RECOCORE_SERVER_THREADS": "2", "RECOCORE_SERVER_MAX_CALLS": "2", "RECOCORE_DATA": "x", "PATH": "/bin"}
    settings = Settings.load(path, environ, {"server": {"max_calls": 3, "host": None}})
    server = settings.server
    assert (server.port, server.threads, server.max_calls, server.host) == (1, 2, 3, "127.0.0.1")
    assert settings.logs.slow_milliseconds == 5.0
    assert settings.sources == {
        "server.port": str(path),
        "server.threads": "environment RECOCORE_SERVER_THREADS",
        "server.max_calls": "command line",
        "logs.slow_milliseconds": str(path),
    }


def test_without_anything_there_are_the_defaults() -> None:
    assert Settings.load() == Settings()
    assert Settings.load().sources == {}


@pytest.mark.parametrize(
    ("variable", "text", "section", "key", "value"),
    [
        ("RECOCORE_SERVER_REFLECTION", "false", "server", "reflection", False),
        ("RECOCORE_SERVER_GRACE_SECONDS", "2.5", "server", "grace_seconds", 2.5),
        ("RECOCORE_SERVER_GRACE_SECONDS", "2", "server", "grace_seconds", 2.0),
        ("RECOCORE_METRICS_HOST", "::1", "metrics", "host", "::1"),
        ("RECOCORE_METRICS_ALLOWED_HOSTS", '["a", "b"]', "metrics", "allowed_hosts", ("a", "b")),
        ("RECOCORE_TRACING_SERVICE_NAME", "true", "tracing", "service_name", "true"),
        ("RECOCORE_MODELS_ALIAS", "canary", "models", "alias", "canary"),
        ("RECOCORE_HTTP_PORT", "8080", "http", "port", 8080),
        ("RECOCORE_LIMITS_RATE", "5", "limits", "rate", 5.0),
        ("RECOCORE_EXPERIMENT_ID", "", "experiment", "id", ""),
    ],
)
def test_the_environment_speaks_text(variable: str, text: str, section: str, key: str, value: Any) -> None:
    settings = Settings.load(environ={variable: text})
    assert getattr(getattr(settings, section), key) == value


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("[serve]\n", "serve", "serve: no such section; did you mean server?"),
        ("[zebra]\n", "zebra", "no such section; known: audit, auth, experiment, "),
        ("[server]\nprot = 1\n", "server.prot", "server.prot: no such key; did you mean port?"),
        ("[server]\nport = '1'\n", "server.port", "server.port: expected a whole number, got '1'"),
        ("[server]\nport = 1.0\n", "server.port", "server.port: expected a whole number, got 1.0"),
        ("[server]\nport = true\n", "server.port", "server.port: expected a whole number, got True"),
        ("[server]\nport = 70000\n", "server.port", "port must be from 0 to 65535, got 70000"),
        ("[server]\nreflection = 1\n", "server.reflection", "expected true or false, got 1"),
        ("[server]\ngrace_seconds = nan\n", "server.grace_seconds", "expected a number, got nan"),
        ("[server]\nhost = 127\n", "server.host", "expected a text, got 127"),
        ("[server]\nlog_level = 'loud'\n", "server.log_level", "must be debug, info, warning or error, got 'loud'"),
        ("[metrics]\nallowed_hosts = 'a'\n", "metrics.allowed_hosts", "expected a list, each a text, got 'a'"),
        ("[metrics]\nallowed_hosts = [1]\n", "metrics.allowed_hosts[0]", "expected a text, got 1"),
        ("[metrics]\nallowed_hosts = ['A:1']\n", "metrics.allowed_hosts", "lower case without a port, got ['A:1']"),
        ("[tracing]\nsample = 2\n", "tracing.sample", "sample must be from 0 to 1, got 2.0"),
        ("[tracing]\nendpoint = 'localhost'\n", "tracing.endpoint", "expected a URL"),
        ("[logs]\nslow_per_second = 0\n", "logs.slow_per_second", "must be above 0"),
        ("[models]\nalias = 'A'\n", "models.alias", "section [models]: models.alias: expected 1 to 64 of a-z"),
        ("[limits]\nrate = -1\n", "limits.rate", "limits.rate must be from 0"),
        ("[http]\nport = 70000\n", "http.port", "http.port must be from 0 to 65535, got 70000"),
        ("[shadow]\nshare = 2\n", "shadow.share", "expected 0 to 1, got 2.0"),
        ("[experiment]\nid = 'x'\n", "experiment.variants", "expected at least one variant"),
        (
            "[experiment]\nid = 'x'\nvariants = {a = {alias = 'stable', share = 2}}\n",
            "experiment.variants.a.share",
            "expected a share above 0 and up to 1",
        ),
        (
            "[experiment]\nid = 'x'\nvariants = {a = {alias = 'b'}}\n",
            "experiment.variants.a.share",
            "share: expected a value",
        ),
        ("server = 1\n", "server", "expected a section [server], got 1"),
        ("[server\n", "config", "expected TOML: "),
        ("[server]\nport = 1\nport = 2\n", "config", "expected TOML: "),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, field: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InvalidArgumentError) as caught:
        Settings.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("RECOCORE_SERVER_PROT", "1", "RECOCORE_SERVER_PROT: no such setting; did you mean RECOCORE_SERVER_PORT?"),
        ("RECOCORE_SERVER_PORT", "many", "server.port: expected a whole number, got 'many'"),
        ("RECOCORE_SERVER_PORT", "1\nhost = 2", "server.port: expected a whole number"),
        ("RECOCORE_SERVER_PORT", "99999", "environment RECOCORE_SERVER_PORT: section [server]: port must be"),
        ("RECOCORE_SERVER_REFLECTION", "yes", "server.reflection: expected true or false, got 'yes'"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, text: str, said: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Settings.load(environ={variable: text})
    assert said in str(caught.value)


def test_an_absent_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.toml: there is no such file; name a TOML file"):
        Settings.load(tmp_path / "none.toml")
    with pytest.raises(InvalidArgumentError, match="cannot be read: Is a directory"):
        Settings.load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(InvalidArgumentError, match="expected TOML"):
        Settings.load(tmp_path / "latin.toml")


def test_a_secret_comes_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{SECRET}\n", encoding="utf-8")
    settings = Settings.load(write(tmp_path, f"[server]\npseudonym_key_file = '{key}'\n"))
    assert settings.server.pseudonym_key == SECRET.encode()
    assert settings.shown()["server"]["pseudonym_key_file"] == "(redacted)"
    assert SECRET not in repr(settings)
    assert Settings().shown()["server"]["pseudonym_key_file"] is None


@pytest.mark.parametrize("value", [SECRET, "", "a\\u0000b"])
def test_a_secret_in_the_place_of_its_file_is_not_repeated(tmp_path: Path, value: str) -> None:
    path = write(tmp_path, f'[server]\npseudonym_key_file = "{value}"\n')
    with pytest.raises(InvalidArgumentError, match=r"a file that holds|name a readable file") as caught:
        Settings.load(path)
    assert SECRET not in str(caught.value)
    assert caught.value.field == "server.pseudonym_key_file"


@pytest.mark.parametrize("content", [b"", b" \n", b"x" * 5000])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(InvalidArgumentError, match="expected a file of 1 to 4096 bytes"):
        Settings.load(environ={"RECOCORE_SERVER_PSEUDONYM_KEY_FILE": str(tmp_path / "key")})


def test_a_secret_has_no_key_for_its_value(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="did you mean pseudonym_key_file"):
        Settings.load(write(tmp_path, f"[server]\npseudonym_key = '{SECRET}'\n"))


@dataclass(frozen=True)
class Variant:
    alias: str
    share: float = 0.5


@dataclass(frozen=True)
class Experiment:
    id: str = ""
    way: Literal["hash", "draw"] = "hash"
    limit: int | None = None
    variants: Mapping[str, Variant] = None  # type: ignore[assignment]


def test_sections_may_have_tables_choices_and_what_is_not_given() -> None:
    variants = {"a": {"alias": "stable"}, "b": {"alias": "canary", "share": 1}}
    made = read_section(Experiment, "experiment", {"variants": Given(variants, "f"), "limit": Given(3, "f")})
    assert made.variants == {"a": Variant("stable"), "b": Variant("canary", 1.0)}
    assert made.limit == 3
    assert shown(made)["variants"] == {"a": {"alias": "stable", "share": 0.5}, "b": {"alias": "canary", "share": 1.0}}
    text = Given('{a = {alias = "x"}}', "environment E", is_text=True)
    assert read_section(Experiment, "experiment", {"variants": text}).variants == {"a": Variant("x")}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("variants", {"a": {"alias": 1}}, "experiment.variants.a.alias: expected a text, got 1"),
        ("variants", {"a": {"alais": "x"}}, "experiment.variants.a.alais: no such key; did you mean alias?"),
        ("variants", {"a": 1}, "experiment.variants.a: expected a table, got 1"),
        ("variants", [], "experiment.variants: expected a table, got []"),
        ("way", "hush", "experiment.way: no such choice as 'hush'; did you mean hash?"),
        ("way", 1, "experiment.way: expected hash or draw, got 1"),
        ("limit", "x", "experiment.limit: expected a whole number, got 'x'"),
    ],
)
def test_what_is_wrong_inside_is_named(key: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_section(Experiment, "experiment", {key: Given(value, "file")})
    assert str(caught.value) == f"file: {said}"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(key=st.sampled_from([entry.name for entry in fields(Experiment)]), value=_VALUES, is_text=st.booleans())
def test_any_value_is_taken_or_refused_by_name(key: str, value: Any, is_text: bool) -> None:
    what = Given(str(value) if is_text else value, "file", is_text)
    refused: InvalidArgumentError | None = None
    try:
        read_section(Experiment, "experiment", {key: what})
    except InvalidArgumentError as error:
        refused = error
    assert refused is None or refused.field.startswith(f"experiment.{key}")


def test_every_section_shows_all_its_keys() -> None:
    for name, values in Settings().shown().items():
        assert list(values) == list(keys_of(type(getattr(Settings(), name))))


def test_an_experiment_is_read(tmp_path: Path) -> None:
    text = (
        "[experiment]\nid = 'x'\n[experiment.variants]\n"
        "a = {alias = 'stable', share = 0.9}\nb = {alias = 'new', share = 0.1}\n"
    )
    settings = Settings.load(write(tmp_path, text))
    assert settings.experiment.variants == {
        "a": hosting.Variant("stable", 0.9),
        "b": hosting.Variant("new", 0.1),
    }
    assert settings.shown()["experiment"]["variants"]["b"] == {"alias": "new", "share": 0.1}
