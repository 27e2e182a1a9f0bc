from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from tests.service.server_process import ServerProcess

from recocore.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def stub_server() -> Iterator[ServerProcess]:
    """One server over the stub index for every test that leaves it as it is."""
    with ServerProcess.stub() as server:
        yield server


@pytest.fixture(scope="session")
def door(stub_server: ServerProcess) -> Iterator[ServerProcess]:
    """One HTTP/JSON door in front of that server."""
    with ServerProcess.door(stub_server.address) as door:
        yield door


@pytest.fixture
def client(stub_server: ServerProcess) -> Iterator[Client]:
    with Client(stub_server.address, timeout=10, retries=0) as client:
        yield client


@pytest.fixture
def channel(stub_server: ServerProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(stub_server.address) as channel:
        yield channel
