"""The native operations on arrays."""

from recocore.ops.association_rules import AssociationRules, association_rules
from recocore.ops.matmul import matmul_topk
from recocore.ops.similarity import SIMILARITY_KINDS, similarity
from recocore.ops.topk import topk

__all__ = ["SIMILARITY_KINDS", "AssociationRules", "association_rules", "matmul_topk", "similarity", "topk"]
