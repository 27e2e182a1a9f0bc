"""The extension's functions; stubtest compares this file with the built module."""

from recocore.types import Float32Array, Int32Array, Int64Array, NativeCsr, Progress, UInt8Array

__version__: str

# bind_csr.cpp
def csr_from_coo(
    rows: Int32Array, cols: Int32Array, values: Float32Array, shape: tuple[int, int], duplicates: str = "sum"
) -> NativeCsr: ...
def csr_transpose(matrix: NativeCsr) -> NativeCsr: ...
def csr_validate(matrix: NativeCsr, argument: str) -> None: ...

# bind_ids.cpp
def find_sorted_bytes(
    sorted_offsets: Int64Array, sorted_data: UInt8Array, query_offsets: Int64Array, query_data: UInt8Array
) -> Int32Array: ...

# bind_device.cpp
def supported_isas() -> list[str]: ...
def active_isa() -> str: ...
def available_cores() -> int: ...
def built_with_cuda() -> bool: ...
def cuda_device_count() -> int: ...

# bind_als.cpp
def als_half_epoch(
    interactions: NativeCsr,
    fixed: Float32Array,
    solved: Float32Array,
    regularization: float,
    alpha0: float,
    nu: float,
    solver: str,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> None: ...
def als_objective(
    interactions: NativeCsr,
    row_factors: Float32Array,
    col_factors: Float32Array,
    regularization: float,
    alpha0: float,
    nu: float,
    num_threads: int = 0,
) -> float: ...
def gram(factors: Float32Array, num_threads: int = 0) -> Float32Array: ...
