"""Safe expressions and compiled functions over named columns: for rules, tags and audiences. Nothing here runs given text."""

from recocore.expressions.compiled import Compiled, compiled
from recocore.expressions.expression import Comparison, Expression, RowError, conditions_function, held_comparisons
from recocore.expressions.nodes import Kind

__all__ = [
    "Comparison",
    "Compiled",
    "Expression",
    "Kind",
    "RowError",
    "compiled",
    "conditions_function",
    "held_comparisons",
]
