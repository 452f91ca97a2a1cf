"""The graph of the loop, drawn by the server."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any
from unicodedata import east_asian_width

from django import template
from django.utils.translation import gettext as _

from active_learning.selectors.graph import Node, columns
from webapp.templatetags.touchstone import elapsed, stage, took
from webapp.words import STATES

register = template.Library()

ACROSS = 6  # columns before the graph goes on below
WIDTH, HEIGHT = 176, 60  # of a node
STEP, DROP = 200, 76  # from a node to the next, and to the one below
BAND = 34  # between two lines of columns, where the way back runs
EDGE = 14  # at either side, for the same
LETTERS = 23  # of a line of text in a node, a Chinese one counted twice


@register.inclusion_tag("partials/graph.html")
def loop_graph(nodes: Sequence[Node], label: str) -> dict[str, Any]:
    """Each node a column further than those it follows, ACROSS columns a line; an edge from each to
    what follows it."""
    grid = columns(nodes)
    across = 1 + max(column for column, _row in grid.values())
    rows = [0] * -(-across // ACROSS)
    for column, row in grid.values():
        rows[column // ACROSS] = max(rows[column // ACROSS], row + 1)
    tops = [2 + sum(rows[:line]) * DROP + line * BAND for line in range(len(rows))]
    places = {
        key: (EDGE + column % ACROSS * STEP, tops[column // ACROSS] + row * DROP)
        for key, (column, row) in grid.items()
    }
    return {
        "label": _("Graph of %(name)s") % {"name": label},
        "width": (min(ACROSS, across) - 1) * STEP + WIDTH + 2 * EDGE,
        "height": tops[-1] + rows[-1] * DROP - (DROP - HEIGHT) + 2,
        "lines": [
            _edge(places[before], places[node.key], tops) for node in nodes for before in node.after
        ],
        "nodes": [_drawn(node, *places[node.key]) for node in nodes],
    }


def _edge(start: tuple[int, int], end: tuple[int, int], tops: Sequence[int]) -> str:
    """From the right side of one node to the left side of another; to a line below by the gap
    between the two."""
    x, y = start[0] + WIDTH, start[1] + HEIGHT // 2
    to_x, to_y = end[0], end[1] + HEIGHT // 2
    if to_x > x:
        middle = (x + to_x) // 2
        return f"M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}"
    gap = max(top for top in tops if top <= end[1]) - BAND // 2 - (DROP - HEIGHT) // 2
    return f"M{x} {y}h10V{gap}H{EDGE - 8}V{to_y}H{to_x}"


def _drawn(node: Node, x: int, y: int) -> dict[str, Any]:
    tone, sign, word = STATES.get(node.state, ("grey", "·", node.state))
    words = f"{sign} {word}" + (f" · {stage(node.detail)}" if node.detail else "")
    began = node.started or node.finished
    when = elapsed(began) if began else ""
    if node.started:
        when += f" · {took(node.started, node.finished)}"
    return {
        "x": x, "y": y, "width": WIDTH, "height": HEIGHT, "tone": tone,
        "word": word, "title": node.title, "page": node.page, "error": node.error, "when": when,
        "name": _fitted(node.title), "words": _fitted(words),
    }  # fmt: skip


def _fitted(text: str) -> str:
    """As much of it as fits into a node, with an ellipsis where that is not all."""
    ends = list(accumulate(2 if east_asian_width(letter) in "WF" else 1 for letter in text))
    if not ends or ends[-1] <= LETTERS:
        return text
    return text[: sum(end < LETTERS for end in ends)] + "…"
