"""The extension's functions; stubtest compares this file with the built module."""

from collections.abc import Sequence
from typing import Any, final

from recocore.types import (
    AnyArray,
    CudaArray,
    Float32Array,
    Float64Array,
    Int32Array,
    Int64Array,
    NativeCsr,
    NativeRows,
    Progress,
    UInt8Array,
    UInt64Array,
)

__version__: str

# bind_sealed.cpp
@final
class Aead:
    def __init__(self, key: bytes) -> None: ...
    @staticmethod
    def is_available() -> bool: ...
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes | None: ...

def sealed_rows(
    kind: int,
    commit: int,
    ciphers: list[Aead],
    slots: list[int],
    times: list[int],
    subjects: list[bytes],
    events: list[bytes],
    plains: list[bytes],
    nonces: bytes,
) -> list[bytes]: ...
def sealed_records(
    records: UserRecords,
    ciphers: list[Aead],
    slots: list[int],
    subjects: list[bytes],
    packed: list[bytes],
    versions: list[int],
    told: list[list[bytes]],
    nonces: bytes,
) -> list[tuple[bytes, bytes, int]]: ...
def opened_entries(
    entries: list[tuple[bytes, bytes]], descriptor: int, authenticated: bytes, masters: dict[int, Any]
) -> list[tuple[int, Aead, bytes, int] | None]: ...
def entry_sum(key: bytes, value: bytes) -> int: ...

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
def texts_at(offsets: Int64Array, data: UInt8Array, indices: Int64Array) -> list[str]: ...

# bind_finite_values.cpp
def all_finite(values: Float32Array, num_threads: int = 0) -> bool: ...

# bind_positive_definite.cpp
def solve_positive_definite(matrix: Float64Array, right: Float64Array) -> Float64Array | None: ...

# bind_decision_message.cpp
class DecisionWriter:
    def __init__(self, numbers: dict[str, int]) -> None: ...
    def write(self, packed: bytes) -> bytes: ...

# bind_scored_items.cpp
def encode_scored_lists(
    item_ids: list[Any], scores: Float32Array, sources: UInt8Array, ends: list[int], source_numbers: bytes
) -> list[bytes]: ...

# bind_kept_events.cpp
def kept_events_add(packed: bytes, rows: list[tuple[Any, ...]], limit: int, cutoff: int) -> bytes: ...
def kept_events_times(packed: bytes) -> list[int]: ...

class KeptReader:
    def __init__(
        self,
        reading: dict[str, Any],
        plan: dict[str, Any],
        offers: tuple[Int64Array, Int64Array, Int64Array] | None,
        rule: dict[str, Any],
    ) -> None: ...
    def read(self, parts: list[bytes], as_of: int) -> tuple[dict[str, Any], int | None, str | None, int] | None: ...

# bind_profile_messages.cpp
def encode_features(features: dict[str, Any], wanted: frozenset[str] | None, field: int) -> bytes: ...

# bind_profiles.cpp
def profile_batch(
    columns: dict[str, AnyArray],
    n_users: int,
    plan: dict[str, Any],
    vocabularies: dict[str, Any],
    *,
    user_zones: Int32Array | None = None,
    offers: tuple[Int64Array, Int64Array, Int64Array] | None = None,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], tuple[Int64Array, Int64Array, Int64Array]]: ...
def send_windows(
    begins: Int64Array, hours: Int32Array, counts: Int64Array, rule: dict[str, Any], num_threads: int = 0
) -> tuple[Int64Array, Float64Array]: ...
def minor_units(
    values: Float64Array, valid: UInt8Array | None, first: int, digits: int, argument: str
) -> Int64Array: ...
def encode_names(
    chunks: list[tuple[Int32Array, UInt8Array, UInt8Array | None, int]],
) -> tuple[Int32Array, Int64Array]: ...
def codes_in_use(codes: Int32Array, names: int) -> UInt8Array: ...
def renumber(codes: Int32Array, numbers: Int32Array) -> None: ...
def hash_names(offsets: Int32Array, data: UInt8Array) -> UInt64Array: ...
def hash_numbers(numbers: Int64Array) -> UInt64Array: ...

class ProfileReader:
    def __init__(
        self,
        log: ProfileLog,
        plan: dict[str, Any],
        offers: tuple[Int64Array, Int64Array, Int64Array] | None,
        rule: dict[str, Any],
    ) -> None: ...
    def read(self, user: bytes, as_of: int) -> dict[str, Any] | None: ...

class EventAppender:
    def __init__(
        self,
        types: Sequence[str],
        columns: Sequence[str],
        dimensions: Sequence[str],
        tags: str,
        path: str,
        default_type: str,
    ) -> None: ...
    def append(self, log: ProfileLog, event: dict[str, Any], time: int, known: int, digits: int) -> int: ...

class ProfileLog:
    def __init__(self, dimensions: int, types: int, tags: int = -1) -> None: ...
    def append(
        self, columns: dict[str, AnyArray], vocabularies: dict[str, Any], users: tuple[Int64Array, UInt8Array] | None
    ) -> None: ...
    def append_one(
        self,
        user: bytes,
        time: int,
        known: int,
        type: int,
        id: str | None,
        item: int | str | None,
        session: str | None,
        order: str | None,
        money: int,
        price: int,
        dwell: int,
        quantity: int,
        query: str | None,
        path: str | None,
        coupon: bool,
        dimensions: Sequence[str | None],
    ) -> None: ...
    def merge(self, other: ProfileLog) -> None: ...
    def forget(self, user: bytes) -> bool: ...
    def drop_before(self, time: int) -> int: ...
    def profiles(
        self,
        plan: dict[str, Any],
        *,
        users: Int32Array | None = None,
        user_zones: Int32Array | None = None,
        offers: tuple[Int64Array, Int64Array, Int64Array] | None = None,
        num_threads: int = 0,
        progress: Progress | None = None,
    ) -> tuple[dict[str, Any], tuple[Int64Array, Int64Array, Int64Array]]: ...
    def find_user(self, user: bytes) -> int: ...
    def names(self, which: str, codes: Int32Array | None = None) -> tuple[Int64Array, UInt8Array]: ...
    def count(self, which: str) -> int: ...
    def packed(self) -> tuple[Int64Array, UInt8Array]: ...
    def restore(
        self,
        vocabularies: dict[str, Any],
        users: tuple[Int64Array, UInt8Array] | None,
        begins: Int64Array,
        data: UInt8Array,
    ) -> None: ...
    def events(self) -> int: ...
    def memory(self) -> int: ...

# bind_device.cpp
def supported_isas() -> list[str]: ...
def active_isa() -> str: ...
def kernel_isas() -> dict[str, str]: ...
def available_cores() -> int: ...
def require_memory(bytes: int, purpose: str, next_step: str) -> None: ...
def built_with_cuda() -> bool: ...
def cuda_device_count() -> int: ...
def cuda_device() -> dict[str, str | int]: ...

# bind_device_array.cpp
class DeviceArray:
    @staticmethod
    def from_host(array: AnyArray, stream: int = 0) -> DeviceArray: ...
    def to_host(self) -> AnyArray: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def __cuda_array_interface__(self) -> dict[str, object]: ...
    def __dlpack__(self, **kwargs: object) -> object: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...

def is_on_device(value: object) -> bool: ...

# bind_anomaly.cpp
class EcodModel:
    @staticmethod
    def fit(X: AnyArray, variant: str, num_threads: int = 0) -> EcodModel: ...
    @staticmethod
    def restore(variant: str, arrays: dict[str, AnyArray]) -> EcodModel: ...
    def arrays(self) -> dict[str, AnyArray]: ...
    def score(self, X: AnyArray, num_threads: int = 0) -> Float64Array: ...
    def explain(self, X: AnyArray, num_threads: int = 0) -> Float64Array: ...

class IsolationForestModel:
    @staticmethod
    def fit(X: AnyArray, n_trees: int, sample_size: int, seed: int, num_threads: int = 0) -> IsolationForestModel: ...
    @staticmethod
    def restore(features: int, sampled: int, arrays: dict[str, AnyArray]) -> IsolationForestModel: ...
    def arrays(self) -> dict[str, AnyArray]: ...
    def score(self, X: AnyArray, num_threads: int = 0) -> Float64Array: ...
    def explain(self, X: AnyArray, num_threads: int = 0) -> Float64Array: ...
    @property
    def features(self) -> int: ...
    @property
    def sampled(self) -> int: ...

class McdModel:
    @staticmethod
    def support_size(rows: int, features: int) -> int: ...
    @staticmethod
    def varying(X: AnyArray) -> int: ...
    @staticmethod
    def fit(
        X: AnyArray, support: int, corrections: tuple[float, float, float], seed: int, num_threads: int = 0
    ) -> tuple[McdModel, AnyArray]: ...
    @staticmethod
    def restore(arrays: dict[str, AnyArray]) -> McdModel: ...
    def arrays(self) -> dict[str, AnyArray]: ...
    def score(self, X: AnyArray, num_threads: int = 0) -> Float64Array: ...
    def explain(self, X: AnyArray, num_threads: int = 0) -> Float64Array: ...

class HbosModel:
    @staticmethod
    def fit(
        X: AnyArray, n_bins: int, equal_count: bool, alpha: float, tolerance: float, num_threads: int = 0
    ) -> HbosModel: ...
    @staticmethod
    def restore(alpha: float, tolerance: float, arrays: dict[str, AnyArray]) -> HbosModel: ...
    def arrays(self) -> dict[str, AnyArray]: ...
    def score(self, X: AnyArray, num_threads: int = 0) -> Float64Array: ...
    def explain(self, X: AnyArray, num_threads: int = 0) -> Float64Array: ...

class HalfSpaceTreesModel:
    @staticmethod
    def build(X: AnyArray, n_trees: int, depth: int, window: int, seed: int) -> HalfSpaceTreesModel: ...
    @staticmethod
    def restore(sizes: dict[str, int], arrays: dict[str, AnyArray]) -> HalfSpaceTreesModel: ...
    def update(self, X: AnyArray, num_threads: int = 0) -> None: ...
    def state(self) -> tuple[dict[str, int], dict[str, AnyArray]]: ...
    def score(self, X: AnyArray, num_threads: int = 0) -> Float64Array: ...
    def explain(self, X: AnyArray, num_threads: int = 0) -> Float64Array: ...

# bind_als.cpp
class AlsInteractions:
    def __init__(self, interactions: NativeCsr, weights: Float32Array | None = None) -> None: ...

class AlsParams:
    def __init__(
        self,
        regularization: float,
        alpha0: float,
        nu: float,
        loss: str = "ials",
        solver: str = "auto",
        cg_steps: int = 3,
        block_size: int = 64,
        negative_preference: float = 0.0,
    ) -> None: ...

def als_half_epoch(
    interactions: AlsInteractions,
    fixed: Float32Array | CudaArray,
    solved: Float32Array | CudaArray,
    params: AlsParams,
    num_threads: int = 0,
    progress: Progress | None = None,
    offsets: Float32Array | None = None,
    counted: Int32Array | None = None,
    prior: tuple[NativeCsr, Float32Array] | None = None,
    device: str = "cpu",
    stream: int | None = None,
    fixed_use: str = "kept",
) -> tuple[int, int, int, int, int, float]: ...
def als_objective(
    interactions: AlsInteractions,
    row_factors: Float32Array | CudaArray,
    col_factors: Float32Array | CudaArray,
    params: AlsParams,
    num_threads: int = 0,
    progress: Progress | None = None,
    offsets: Float32Array | None = None,
    device: str = "cpu",
    stream: int | None = None,
) -> float: ...
def als_half_epoch_bytes(rows: int, cols: int, factors: int, num_threads: int = 0, in_place: bool = False) -> int: ...
def gram(
    factors: Float32Array | CudaArray, num_threads: int = 0, device: str = "cpu", stream: int | None = None
) -> Any: ...

# bind_topk.cpp
class PackedItems:
    @staticmethod
    def pack(items: Float32Array, num_threads: int = 0) -> PackedItems: ...
    @staticmethod
    def restore(items: Float32Array, arrays: dict[str, AnyArray]) -> PackedItems: ...
    def arrays(self) -> dict[str, AnyArray]: ...
    def __len__(self) -> int: ...

def topk(
    queries: Float32Array | CudaArray,
    items: Float32Array | CudaArray | PackedItems,
    k: int,
    *,
    exclude: list[NativeRows] | None = None,
    block: Int32Array | None = None,
    allow: Int32Array | NativeRows | None = None,
    metric: str = "inner_product",
    biases: Float32Array | None = None,
    thresholds: Float32Array | None = None,
    precision: str = "auto",
    num_threads: int = 0,
    progress: Progress | None = None,
    device: str = "cpu",
    stream: int | None = None,
) -> tuple[Any, Any]: ...
def score_all(
    queries: Float32Array | CudaArray,
    items: Float32Array | CudaArray,
    num_threads: int = 0,
    device: str = "cpu",
    stream: int | None = None,
) -> Any: ...

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

# bind_matmul_topk.cpp
def matmul_topk(
    a: NativeCsr,
    b: NativeCsr,
    k: int | None,
    *,
    threshold: float | None = None,
    num_threads: int = 0,
    progress: Progress | None = None,
    device: str = "cpu",
    stream: int | None = None,
) -> NativeCsr: ...
def matmul_topk_padded(
    a: NativeCsr,
    a_rows: Int32Array | None,
    b: NativeCsr,
    k: int,
    *,
    exclude: list[NativeRows] | None = None,
    block: Int32Array | None = None,
    allow: Int32Array | NativeRows | None = None,
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
    rows: Int32Array | None = None,
    num_threads: int = 0,
    progress: Progress | None = None,
    device: str = "cpu",
    stream: int | None = None,
) -> NativeCsr: ...
def similarity_kinds() -> list[str]: ...

# bind_velocity.cpp
class Velocity:
    def __init__(
        self,
        *,
        id_columns: int,
        number_columns: int,
        tables: list[list[int]],
        counters: list[tuple[int, int, str, int, list[str]]],
        exact_window: int,
        exact_events: int,
        tiles: int,
        max_distinct: int,
        memory_bytes: int,
        including: bool,
        hash_key: bytes,
    ) -> None: ...
    def update(self, ids: AnyArray, times: Int64Array, numbers: Float64Array, types: AnyArray) -> Float64Array: ...
    def update_one(
        self, ids: tuple[str | int | None, ...], time: int, numbers: list[float], type: str | None
    ) -> list[float]: ...
    def hash_texts(self, offsets: Int32Array, data: UInt8Array) -> AnyArray: ...
    def hash_numbers(self, values: Int64Array) -> AnyArray: ...
    def state(self) -> UInt8Array: ...
    def restore(self, state: UInt8Array) -> None: ...
    def keys(self) -> int: ...
    def evicted(self) -> int: ...
    def bytes(self) -> int: ...

# bind_events.cpp
class EventMessages:
    def __init__(
        self,
        fields: list[tuple[int, str, str, int, int, bool]],
        left: list[int],
        item: int,
        arm: int,
        itemless: list[str],
    ) -> None: ...
    def read(
        self, request: bytes, now: int, most: int
    ) -> tuple[int, list[bytes | None], list[tuple[int, str, bool]]] | None: ...

class EventRows:
    def __init__(
        self, fields: list[tuple[str, str, int, int]], itemless: list[str], default_type: str, key: bytes
    ) -> None: ...
    def read(self, rows: list[Any], now: int) -> list[tuple[bytes, bytes, int, bytes, bool] | None]: ...

class EventIdFilter:
    def __init__(self, ids: int) -> None: ...
    def add(self, file: AnyArray) -> None: ...
    def passing(self, ids: list[bytes]) -> list[bytes]: ...

def held_event_ids(files: list[AnyArray], ids: list[bytes]) -> list[bytes]: ...
def frame_heads(data: bytes, start: int, end: int, count: int) -> tuple[int, int, int, bytes] | None: ...

class UserRecords:
    def __init__(
        self,
        max_recent: int,
        max_seen: int,
        profile_bytes: int,
        weights: dict[str, float],
        seen_types: set[str],
        places: list[int],
        purpose: str,
    ) -> None: ...
    def add(self, record: bytes, version: int, rows: list[bytes]) -> bytes: ...

# bind_boosted_trees.cpp
class BoostedTrees:
    def __init__(
        self,
        *,
        roots: Int32Array,
        feature: Int32Array,
        threshold: Float64Array,
        left: Int32Array,
        right: Int32Array,
        missing_left: UInt8Array,
        value: Float64Array,
        features: int,
        baseline: float,
    ) -> None: ...
    def score(self, rows: Float64Array, num_threads: int = 0) -> Float64Array: ...
    def explain(self, rows: Float64Array, num_threads: int = 0) -> Float64Array: ...

# bind_rings.cpp
def dense_blocks(
    accounts: Int32Array,
    entities: Int32Array,
    weights: Float64Array | None,
    shape: tuple[int, int],
    *,
    priors: Float64Array | None = None,
    max_blocks: int = 1,
    min_density: float = 0.0,
    hub_cap: int = 0,
) -> list[tuple[Int32Array, Int32Array, float]]: ...
def connected_components(
    accounts: Int32Array, entities: Int32Array, shape: tuple[int, int], hub_cap: int = 0
) -> Int32Array: ...

# bind_spmm.cpp
def spmm(
    matrix: NativeCsr,
    dense: Float32Array | CudaArray,
    num_threads: int = 0,
    progress: Progress | None = None,
    device: str = "cpu",
    stream: int | None = None,
) -> Any: ...
