"""The native operations on arrays."""

from recocore.ops.matmul import matmul_topk
from recocore.ops.similarity import SIMILARITY_KINDS, similarity
from recocore.ops.topk import topk

__all__ = ["SIMILARITY_KINDS", "matmul_topk", "similarity", "topk"]
