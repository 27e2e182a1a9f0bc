"""A server with a metrics port, in processes of its own."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.service.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that must come true."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come true within 20 s"
        time.sleep(0.02)


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Answer(NamedTuple):
    status: int
    headers: Any
    body: str


class WatchedProcess(ServerProcess):
    """A server over a saved index whose metrics port can be asked."""

    @classmethod
    def watch(
        cls, path: Path, *, workers: int = 1, metrics: str = "", observing: str = "", server: str = "", more: str = ""
    ) -> Self:
        """Settings are the arguments of MetricsConfig, Observing, ServerConfig and `serve`, as source text.

        The path is that of an index, or of a registry that is followed.
        """
        followed = f"models=ModelsConfig(registry={str(path)!r}, poll_seconds=0.05)"
        what = followed if (path / "versions").is_dir() else repr(str(path))
        return cls(
            [
                sys.executable,
                "-W",
                "error",
                "-c",
                "from recocore.service import ModelsConfig, ServerConfig, ShadowConfig, serve\n"
                "from recocore.service.observe.config import LogsConfig, MetricsConfig, TracingConfig\n"
                "from recocore.service.observe.observing import Observing\n"
                "from recocore.service.security.config import Security, TlsConfig\n"
                f"watched = Observing(MetricsConfig(enabled=True, port=0, {metrics}), {observing})\n"
                f"config = ServerConfig({server})\n"
                f"serve({what}, port=0, workers={workers}, config=config, observing=watched, {more})",
            ]
        )

    @property
    def url(self) -> str:
        """Of the metrics port, as the log tells."""
        [url] = [record["url"] for record in self.records() if record["event"] == "metrics"]
        return str(url)

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """An answer of the metrics port, whatever its status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, headers=named, method=method)
        try:
            with _OPENER.open(request, timeout=20) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode())

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.ask("/status.json").body)
        return report

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first report that meets a condition."""
        deadline = time.monotonic() + 20
        while not condition(report := self.report()):
            assert time.monotonic() < deadline, report
            time.sleep(0.05)
        return report
