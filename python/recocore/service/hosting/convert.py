"""Where the protos of models meet plain values: ModelService's messages, and requests to warm up with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2
from grpc import StatusCode

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.service.hosting.states import ModelState
from recocore.service.problems import InvalidRequestError, MalformedRequestError, Violation
from recocore.v1 import model_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2 as ranking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from recocore.service.hosting.states import AliasInfo, ModelInfo

_M = TypeVar("_M", bound=Message)

_STATE = {
    ModelState.LOADING: v1.MODEL_STATE_LOADING,
    ModelState.WARMING: v1.MODEL_STATE_WARMING,
    ModelState.READY: v1.MODEL_STATE_READY,
    ModelState.DRAINING: v1.MODEL_STATE_DRAINING,
    ModelState.UNLOADED: v1.MODEL_STATE_UNLOADED,
    ModelState.FAILED: v1.MODEL_STATE_FAILED,
}
_RECORDABLE: dict[str, type[Message]] = {
    "Recommend": ranking.RecommendRequest,
    "SimilarItems": ranking.SimilarItemsRequest,
    "Score": ranking.ScoreRequest,
    "BatchRecommend": ranking.BatchRecommendRequest,
}


def decode_name(data: bytes) -> str:
    """The name in a GetModelRequest.

    Raises:
        MalformedRequestError: the bytes are no such message.
        InvalidRequestError: a field breaks its limit.
    """
    return _required(_parse(v1.GetModelRequest, data), "name")


def decode_list(data: bytes) -> None:
    """A ListModelsRequest, which asks for nothing; raises as `decode_name`."""
    _parse(v1.ListModelsRequest, data)


def decode_load(data: bytes) -> str:
    """The version in a LoadModelRequest; raises as `decode_name`."""
    return _required(_parse(v1.LoadModelRequest, data), "version")


def decode_unload(data: bytes) -> str:
    """The version in an UnloadModelRequest; raises as `decode_name`."""
    return _required(_parse(v1.UnloadModelRequest, data), "version")


def decode_set_alias(data: bytes) -> tuple[str, str, int | None]:
    """Alias, version and expected generation in a SetAliasRequest; raises as `decode_name`."""
    request = _parse(v1.SetAliasRequest, data)
    return _required(request, "alias"), _required(request, "version"), _generation(request.etag)


def decode_rollback(data: bytes) -> tuple[str, int | None]:
    """Alias and expected generation in a RollbackAliasRequest; raises as `decode_name`."""
    request = _parse(v1.RollbackAliasRequest, data)
    return _required(request, "alias"), _generation(request.etag)


def decode_remove(data: bytes) -> tuple[str, int | None]:
    """Alias and expected generation in a RemoveAliasRequest; raises as `decode_name`."""
    request = _parse(v1.RemoveAliasRequest, data)
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


def sample_requests(user_ids: Sequence[str], item_ids: Sequence[str]) -> list[tuple[str, bytes]]:
    """The name of a method and the bytes of a request: for each user, for each item, and for all together."""
    requests: list[tuple[str, Message]] = []
    for number, user_id in enumerate(user_ids):
        requests.append(("Recommend", ranking.RecommendRequest(user_id=user_id, explain=number == 0)))
        if item_ids:
            requests.append(("Score", ranking.ScoreRequest(user_id=user_id, item_ids=item_ids)))
    for item_id in item_ids:
        requests.append(("SimilarItems", ranking.SimilarItemsRequest(item_ids=[item_id])))
    # Whom no model knows: what fills the list is warm as well.
    requests.append(("Recommend", ranking.RecommendRequest(user_id="nobody")))
    if user_ids:
        requests.append(("BatchRecommend", ranking.BatchRecommendRequest(user_ids=user_ids[:1_000])))
    return [(method, bytes(request.SerializeToString())) for method, request in requests]


def read_recorded(path: str) -> list[tuple[str, bytes]]:
    """The requests of a file: see `ModelsConfig.recorded`.

    Raises:
        NotFoundError: the file is not there.
        InvalidArgumentError: a line is no request; the message has its number.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise NotFoundError(f"models.recorded: there is no file {path}; name one, or leave it empty") from None
    except UnicodeDecodeError as error:
        raise _unfit_recording(path, 1, error) from error
    requests = []
    for number, line in enumerate(lines, 1):
        try:
            recorded = json.loads(line)
            method = recorded["method"]
            request = json_format.ParseDict(recorded["request"], _RECORDABLE[method]())
        except (ValueError, KeyError, TypeError, json_format.ParseError) as error:
            raise _unfit_recording(path, number, error) from error
        requests.append((method, bytes(request.SerializeToString())))
    return requests


def _unfit_recording(path: str, number: int, error: Exception) -> InvalidArgumentError:
    return InvalidArgumentError(
        f'models.recorded: {path}: line {number}: expected {{"method": ..., "request": {{...}}}}, got {error!s:.120}; '
        "correct the line or leave it out",
        field="models.recorded",
    )


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


def _parse(kind: type[_M], data: bytes) -> _M:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise MalformedRequestError(f"the request is not a {kind.DESCRIPTOR.full_name}") from error
