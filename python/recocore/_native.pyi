"""The extension's functions; stubtest compares this file with the built module."""

from recocore.types import Float32Array, Int32Array, NativeCsr, Progress

__version__: str

# bind_csr.cpp
def csr_from_coo(
    rows: Int32Array, cols: Int32Array, values: Float32Array, shape: tuple[int, int], duplicates: str = "sum"
) -> NativeCsr: ...
def csr_transpose(matrix: NativeCsr) -> NativeCsr: ...
def csr_validate(matrix: NativeCsr, argument: str) -> None: ...

# bind_device.cpp
def supported_isas() -> list[str]: ...
def active_isa() -> str: ...
def available_cores() -> int: ...
def built_with_cuda() -> bool: ...
def cuda_device_count() -> int: ...

# bind_matmul_topk.cpp
def matmul_topk(
    a: NativeCsr,
    b: NativeCsr,
    k: int | None,
    *,
    threshold: float | None = None,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> NativeCsr: ...
def matmul_topk_padded(
    a: NativeCsr,
    a_rows: Int32Array | None,
    b: NativeCsr,
    k: int,
    *,
    exclude: list[tuple[NativeCsr, Int32Array | None]] | None = None,
    block: Int32Array | None = None,
    allow: Int32Array | tuple[NativeCsr, Int32Array | None] | None = None,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> tuple[Int32Array, Float32Array]: ...

# bind_similarity.cpp
def similarity(
    matrix: NativeCsr,
    kind: str,
    *,
    k: int | None = 100,
    shrinkage: float = 0.0,
    min_support: int = 1,
    threshold: float | None = None,
    include_self: bool = False,
    alpha: float = 1.0,
    beta: float = 1.0,
    k1: float = 1.2,
    b: float = 0.75,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> NativeCsr: ...
def similarity_kinds() -> list[str]: ...
