"""What a round, or a training outside a round, led to: the loop as a graph with times."""

from collections.abc import Sequence

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from active_learning.selectors import graph as selectors
from active_learning.selectors import rounds, training
from annotation.access import ENGINEERS, PageRequest, roles_allowed
from annotation.live import live


@require_safe
@roles_allowed(*ENGINEERS)
def round_graph(request: PageRequest, number: int) -> HttpResponse:
    round_ = get_object_or_404(rounds.rounds(), number=number)
    title = _("Round %(number)d") % {"number": number}
    back = reverse("round", args=[number])
    return _page(request, title, back, selectors.round_graph(round_))


@require_safe
@roles_allowed(*ENGINEERS)
def run_graph(request: PageRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(training.runs(), pk=pk)
    title = _("Run %(number)d: %(kind)s") % {"number": pk, "kind": _(run.kind)}
    return _page(request, title, reverse("run", args=[pk]), selectors.run_graph(run))


def _page(
    request: PageRequest, title: str, back: str, nodes: Sequence[selectors.Node]
) -> HttpResponse:
    context = {
        "title": title,
        "back": back,
        "nodes": nodes,
        "live": live(request, shown=selectors.shown(nodes)),
    }
    part = request.htmx.target == "graph"
    return render(request, "graph/_graph.html" if part else "graph/page.html", context)
