"""Arrays on the CUDA device, and the streams that operations run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recocore import _native
from recocore._native import DeviceArray, is_on_device
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import choice

if TYPE_CHECKING:
    from recocore.types import CudaArray

__all__ = ["DeviceArray", "checked_device", "is_on_device", "returned", "shape_of", "stream_handle"]

_DEVICES = ("cpu", "cuda")


def checked_device(value: Any) -> str:
    """cpu, or cuda where this build and this machine have it.

    Raises:
        InvalidArgumentError: neither.
        UnsupportedError: cuda, but there is no device; the message says what is missing and how to get it.

    Example:
        >>> checked_device("cpu")
        'cpu'
    """
    device = choice(value, "device", _DEVICES)
    if device == "cuda" and _native.cuda_device_count() == 0:
        _native.cuda_device()  # raises, saying why
    return device


def stream_handle(stream: Any) -> int | None:
    """A cudaStream_t as a number, from one or from an object that has it as `ptr`, as CuPy's streams do; None for none.

    Raises:
        InvalidArgumentError: anything else.
    """
    handle = getattr(stream, "ptr", stream)
    if handle is None or (isinstance(handle, int) and not isinstance(handle, bool) and handle >= 0):
        return handle
    raise InvalidArgumentError(
        f"stream: expected None, a cudaStream_t as an integer or an object with ptr, got {stream!r:.80}", field="stream"
    )


def shape_of(array: Any) -> tuple[int, ...]:
    """The lengths of an array on the device."""
    shape: tuple[int, ...] = tuple(array.shape) if hasattr(array, "shape") else array.__cuda_array_interface__["shape"]
    return shape


def returned(array: DeviceArray, given: Any) -> CudaArray:
    """A result in the caller's kind of array: CuPy's where the caller gave one of CuPy, without a copy."""
    if type(given).__module__.partition(".")[0] != "cupy":
        return array
    import cupy  # noqa: PLC0415  # whoever gave an array of CuPy has it

    taken: CudaArray = cupy.asarray(array)
    return taken
