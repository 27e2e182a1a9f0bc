"""The native operations on arrays."""

from recocore.ops.matmul import matmul_topk
from recocore.ops.similarity import SIMILARITY_KINDS, similarity

__all__ = ["SIMILARITY_KINDS", "matmul_topk", "similarity"]
