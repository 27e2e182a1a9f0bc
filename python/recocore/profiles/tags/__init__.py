"""Tags: what a rule, or the user, says about a user in a word, with its weight, source, time and version."""

from recocore.profiles.tags.declared import DECLARABLE, Declaration, DeclaredAttributes
from recocore.profiles.tags.definitions import TagDefinition
from recocore.profiles.tags.dimensions import dimension_scores
from recocore.profiles.tags.tag import Tag
from recocore.profiles.tags.tag_set import Explanation, TagSet
from recocore.profiles.tags.tag_table import TagTable

__all__ = [
    "DECLARABLE",
    "Declaration",
    "DeclaredAttributes",
    "Explanation",
    "Tag",
    "TagDefinition",
    "TagSet",
    "TagTable",
    "dimension_scores",
]
