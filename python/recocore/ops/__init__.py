"""The native operations on arrays."""

from recocore._native import DeviceArray
from recocore.ops.association_rules import AssociationRules, association_rules
from recocore.ops.matmul import matmul_topk
from recocore.ops.similarity import SIMILARITY_KINDS, similarity
from recocore.ops.spmm import spmm
from recocore.ops.topk import topk

__all__ = [
    "SIMILARITY_KINDS",
    "AssociationRules",
    "DeviceArray",
    "association_rules",
    "matmul_topk",
    "similarity",
    "spmm",
    "topk",
]
