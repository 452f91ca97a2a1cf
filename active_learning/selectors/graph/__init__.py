"""The loop as a graph: what one round, or one training, led to, from labels to cases embedded anew.
Every node is a row of the database, read as it is now; what has no row yet waits."""

from active_learning.selectors.graph.nodes import Node, columns, shown
from active_learning.selectors.graph.whole import round_graph, run_graph

__all__ = ["Node", "columns", "round_graph", "run_graph", "shown"]
