"""Exact retrieval from a prepared catalogue."""

from recocore.retrieval.retriever import Metric, Retriever

__all__ = ["Metric", "Retriever"]
