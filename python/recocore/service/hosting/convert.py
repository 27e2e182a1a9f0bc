"""Where the protos of models meet plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.rpc import status_pb2
from grpc import StatusCode

from recocore.service.convert.messages import parse
from recocore.service.hosting.states import ModelState
from recocore.service.problems import InvalidRequestError, Violation
from recocore.v1 import model_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterable

    from recocore.service.hosting.states import AliasInfo, ModelInfo


_STATE = {
    ModelState.LOADING: v1.MODEL_STATE_LOADING,
    ModelState.WARMING: v1.MODEL_STATE_WARMING,
    ModelState.READY: v1.MODEL_STATE_READY,
    ModelState.DRAINING: v1.MODEL_STATE_DRAINING,
    ModelState.UNLOADED: v1.MODEL_STATE_UNLOADED,
    ModelState.FAILED: v1.MODEL_STATE_FAILED,
}


def decode_name(data: bytes) -> str:
    """The name in a GetModelRequest.

    Raises:
        MalformedRequestError: the bytes are no such message.
        InvalidRequestError: a field breaks its limit.
    """
    return _required(parse(v1.GetModelRequest, data), "name")


def decode_list(data: bytes) -> None:
    """A ListModelsRequest, which asks for nothing; raises as `decode_name`."""
    parse(v1.ListModelsRequest, data)


def decode_load(data: bytes) -> str:
    """The version in a LoadModelRequest; raises as `decode_name`."""
    return _required(parse(v1.LoadModelRequest, data), "version")


def decode_unload(data: bytes) -> str:
    """The version in an UnloadModelRequest; raises as `decode_name`."""
    return _required(parse(v1.UnloadModelRequest, data), "version")


def decode_set_alias(data: bytes) -> tuple[str, str, int | None]:
    """Alias, version and expected generation in a SetAliasRequest; raises as `decode_name`."""
    request = parse(v1.SetAliasRequest, data)
    return _required(request, "alias"), _required(request, "version"), _generation(request.etag)


def decode_rollback(data: bytes) -> tuple[str, int | None]:
    """Alias and expected generation in a RollbackAliasRequest; raises as `decode_name`."""
    request = parse(v1.RollbackAliasRequest, data)
    return _required(request, "alias"), _generation(request.etag)


def decode_remove(data: bytes) -> tuple[str, int | None]:
    """Alias and expected generation in a RemoveAliasRequest; raises as `decode_name`."""
    request = parse(v1.RemoveAliasRequest, data)
    return _required(request, "alias"), _generation(request.etag)


def encode_list(models: Iterable[ModelInfo], aliases: Iterable[AliasInfo]) -> bytes:
    """A ListModelsResponse."""
    response = v1.ListModelsResponse(models=map(_model, models), aliases=map(_alias, aliases))
    return bytes(response.SerializeToString())


def encode_get(model: ModelInfo) -> bytes:
    """A GetModelResponse."""
    return bytes(v1.GetModelResponse(model=_model(model)).SerializeToString())


def encode_load(model: ModelInfo) -> bytes:
    """A LoadModelResponse."""
    return bytes(v1.LoadModelResponse(model=_model(model)).SerializeToString())


def encode_unload(model: ModelInfo) -> bytes:
    """An UnloadModelResponse."""
    return bytes(v1.UnloadModelResponse(model=_model(model)).SerializeToString())


def encode_set_alias(alias: AliasInfo) -> bytes:
    """A SetAliasResponse."""
    return bytes(v1.SetAliasResponse(alias=_alias(alias)).SerializeToString())


def encode_rollback(alias: AliasInfo) -> bytes:
    """A RollbackAliasResponse."""
    return bytes(v1.RollbackAliasResponse(alias=_alias(alias)).SerializeToString())


def encode_remove() -> bytes:
    """A RemoveAliasResponse."""
    return bytes(v1.RemoveAliasResponse().SerializeToString())


def _model(info: ModelInfo) -> v1.Model:
    model = v1.Model(
        version=info.version,
        state=_STATE[info.state],
        aliases=info.aliases,
        pinned=info.pinned,
        algorithm=info.algorithm,
        user_count=info.counts.get("users", 0),
        item_count=info.counts.get("items", 0),
        interaction_count=info.counts.get("interactions", 0),
        size_bytes=info.bytes,
        metrics=info.metrics,
    )
    if info.failure is not None:
        code = StatusCode[info.failure.status].value[0]
        model.failure.CopyFrom(status_pb2.Status(code=code, message=info.failure.message))
    if info.created is not None:
        model.create_time.FromSeconds(round(info.created))
    if info.load_seconds is not None:
        model.load_time.FromMilliseconds(round(info.load_seconds * 1e3))
    return model


def _alias(info: AliasInfo) -> v1.Alias:
    return v1.Alias(name=info.name, version=info.version, etag=str(info.generation), served_version=info.served_version)


def _required(request: Any, field: str) -> str:
    value: str = getattr(request, field)
    if not value:
        raise InvalidRequestError((Violation(field, "expected a name, got an empty string"),))
    return value


def _generation(etag: str) -> int | None:
    if not etag:
        return None
    # Ten digits are more changes than any registry sees, and int() takes what is no etag, such as " 1_0".
    if not (etag.isascii() and etag.isdigit() and len(etag) <= 10):
        raise InvalidRequestError((Violation("etag", f"expected the etag of an alias, got {etag!r:.40}"),))
    return int(etag)
