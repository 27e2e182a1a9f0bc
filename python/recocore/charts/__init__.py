"""Pictures for reports: a few SVG charts and one self-contained page; no script, nothing is fetched."""

from recocore.charts.charts import Line, bars, histogram, lines
from recocore.charts.network import Edge, Node, network
from recocore.charts.page import Section, facts, page, rows_table

__all__ = ["Edge", "Line", "Node", "Section", "bars", "facts", "histogram", "lines", "network", "page", "rows_table"]
