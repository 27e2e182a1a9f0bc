"""The methods of ModelService: decode, have it done by the whole service, encode."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import grpc

from recocore.service.call import request_id
from recocore.service.convert import encode_problem
from recocore.service.hosting import convert
from recocore.service.logs import log, places
from recocore.service.problems import problem_of
from recocore.service.security.caller import ADMITTED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recocore.service.hosting.states import ModelControl

SERVICE_NAME = "recocore.v1.ModelService"


class ModelServicer:
    """Each method takes the bytes of a request and gives the bytes of its response; on one event loop.

    These calls are few and mostly wait, so they take neither a thread nor a place of the calls that rank.

    Args:
        control: acts on the whole service.
    """

    def __init__(self, control: ModelControl) -> None:
        self._control = control

    def handler(self) -> grpc.GenericRpcHandler:
        """A gRPC handler of the methods by the names that the proto gives them."""
        methods: dict[str, Callable[[bytes], Awaitable[bytes]]] = {
            "ListModels": self.list_models,
            "GetModel": self.get_model,
            "LoadModel": self.load_model,
            "UnloadModel": self.unload_model,
            "SetAlias": self.set_alias,
            "RollbackAlias": self.rollback_alias,
            "RemoveAlias": self.remove_alias,
        }
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(_behaviour(name, method)) for name, method in methods.items()
        }
        return grpc.method_handlers_generic_handler(SERVICE_NAME, handlers)

    async def list_models(self, request: bytes) -> bytes:
        """Every version and every alias."""
        convert.decode_list(request)
        return convert.encode_list(*await self._control.list())

    async def get_model(self, request: bytes) -> bytes:
        """One version."""
        return convert.encode_get(await self._control.get(convert.decode_name(request)))

    async def load_model(self, request: bytes) -> bytes:
        """Keep a version loaded."""
        return convert.encode_load(await self._control.load(convert.decode_load(request)))

    async def unload_model(self, request: bytes) -> bytes:
        """Let go of a version."""
        return convert.encode_unload(await self._control.unload(convert.decode_unload(request)))

    async def set_alias(self, request: bytes) -> bytes:
        """Load a version and point an alias to it."""
        return convert.encode_set_alias(await self._control.set_alias(*convert.decode_set_alias(request)))

    async def rollback_alias(self, request: bytes) -> bytes:
        """Point an alias to what it pointed to before."""
        return convert.encode_rollback(await self._control.rollback(*convert.decode_rollback(request)))

    async def remove_alias(self, request: bytes) -> bytes:
        """Remove an alias."""
        await self._control.remove_alias(*convert.decode_remove(request))
        return convert.encode_remove()


def _behaviour(name: str, method: Callable[[bytes], Awaitable[bytes]]) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def behave(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        admitted = ADMITTED.get()
        call_id = admitted.request_id if admitted is not None and admitted.request_id else request_id()
        try:
            response = await method(request)
        except Exception as error:
            problem = problem_of(error)
            about = {"status": problem.status, "reason": problem.reason, "request_id": call_id}
            if problem.is_server_fault:
                log(logging.ERROR, "model call", method=name, **about, error=places(error))
            else:
                log(logging.INFO, "model call", method=name, **about)
            details = ("grpc-status-details-bin", encode_problem(problem, call_id))
            await context.abort(grpc.StatusCode[problem.status], problem.message, (details,))
        log(logging.INFO, "model call", method=name, status="OK", request_id=call_id)
        return response

    return behave
