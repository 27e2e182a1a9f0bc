from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.service.security.certificates import Authority
from tests.service.security.secured import Secured, encrypted, serve
from tests.service.security.whole import Ports, free_port
from tests.service.small_index import small_index
from tests.service.watched import until

from recocore.models import Popularity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("transport")
    small_index(Popularity()).save(path / "index")
    return path


@pytest.fixture(scope="session")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="session")
def ports(folder: Path, authority: Authority) -> Iterator[Ports]:
    secured = Secured.make(folder, "caller", "operator")
    door = free_port()
    config = secured.config(
        tls=encrypted(folder, authority), http={"port": door, "connections": 2}, metrics={"enabled": True, "port": 0}
    )
    with serve(config, str(folder / "index")) as server:
        until(lambda: bool(server.events("door serving")))
        yield Ports(server, door, secured, authority)


@pytest.fixture(scope="session")
def mutual(tmp_path_factory: pytest.TempPathFactory, folder: Path, authority: Authority) -> Iterator[Ports]:
    own_folder = tmp_path_factory.mktemp("mutual")
    secured = Secured.make(own_folder, "caller")
    callers = Authority(own_folder, "callers")
    own = callers.issue("own", uri="spiffe://shop/service")
    (own_folder / "roles.toml").write_text('[certificates]\n"spiffe://shop/front" = ["caller"]\n', encoding="utf-8")
    tls = encrypted(own_folder, authority) | {
        "client_ca_file": str(callers.path),
        "own_certificate_file": str(own.certificate),
        "own_key_file": str(own.key),
    }
    door = free_port()
    config = secured.config(
        tls=tls,
        auth={"roles_file": str(own_folder / "roles.toml")},
        http={"port": door, "connections": 1},
        metrics={"enabled": True, "port": 0},
    )
    with serve(config, str(folder / "index")) as server:
        until(lambda: bool(server.events("door serving")))
        yield Ports(server, door, secured, callers)


@pytest.fixture(scope="session")
def callers(mutual: Ports) -> Authority:
    """Whose certificates the service of `mutual` takes."""
    return mutual.authority
