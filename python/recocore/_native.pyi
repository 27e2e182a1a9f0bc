"""The extension's functions; stubtest compares this file with the built module."""

from recocore.types import Float32Array, Float64Array, Int32Array, NativeCsr, Progress

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

# bind_bootstrap.cpp
def resampled_means(
    values: Float64Array, samples: int, seed: int, num_threads: int = 0, progress: Progress | None = None
) -> Float64Array: ...

# bind_ranking_metrics.cpp
def ranking_metrics(
    users: Int32Array,
    ids: Int32Array,
    relevant: NativeCsr,
    metrics: list[str],
    cutoffs: list[int],
    scores: Float32Array | None = None,
    gain: str = "linear",
    average_ties: bool = False,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> Float64Array: ...
def ranking_auc(
    users: Int32Array,
    ids: Int32Array,
    scores: Float32Array,
    relevant: NativeCsr,
    excluded: NativeCsr | None = None,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> Float64Array: ...
def list_diversity(
    ids: Int32Array,
    vectors: Float32Array | NativeCsr,
    cutoffs: list[int],
    num_threads: int = 0,
    progress: Progress | None = None,
) -> Float64Array: ...
