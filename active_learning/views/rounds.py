"""Pages of rounds."""

import json

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import rounds as verbs
from active_learning.filters import STRATEGIES, RoundFilter, SelectionFilter
from active_learning.measures import figures
from active_learning.models import ModelKind, Round, Selection
from active_learning.selectors import forecasts, registry
from active_learning.selectors import rounds as selectors
from active_learning.views.acting import act
from annotation.access import ENGINEERS, STAFF, PageRequest, roles_allowed
from annotation.cards import Card, agrees, answer_text, brand_names, proposal_text, proposed_keys
from annotation.listing import listing
from annotation.live import live

CARDS = 48


@require_safe
@roles_allowed(*STAFF)
def round_list(request: PageRequest) -> HttpResponse:
    page = listing(request, queryset=selectors.rounds(), filters=RoundFilter, per_page=25)
    rows = [{"round": row, **_results(row)} for row in page.page]
    running = Round.objects.filter(state=Round.State.RUNNING).exists()
    context = {"listing": page, "rows": rows, "running": running, "default": verbs.DEFAULT_CONFIG}
    return render(request, "rounds/list.html", context)


def _results(round_: Round) -> dict:
    results = {step.name: step.result for step in round_.steps.all()}
    current = next((step for step in round_.steps.all() if step.state != "done"), None)
    gate = results.get("gate", {}).get("models", {})
    return {
        "current": current,
        "selected": sum(results.get("select", {}).get("selected", {}).values()),
        "collected": results.get("collect", {}).get("collected"),
        "labels_total": results.get("collect", {}).get("labels_total"),
        "promoted": [kind for kind, verdict in gate.items() if verdict.get("passed")],
        "judged": bool(gate),
    }


@require_safe
@roles_allowed(*STAFF)
def round_detail(request: PageRequest, number: int) -> HttpResponse:
    """A round: its steps, what it chose and why, and what came of it."""
    round_ = get_object_or_404(selectors.rounds(), number=number)
    steps = list(round_.steps.all())
    outcomes = selectors.outcomes(round_=round_)
    context = {
        "round": round_,
        "steps": steps,
        "outcomes": outcomes,
        "answered": sum(row.answered for row in outcomes),
        "chosen": sum(row.chosen for row in outcomes),
        "live": live(
            request,
            shown=[
                round_.state,
                [(step.name, step.state, step.error) for step in steps],
                [(row.strategy, row.answered) for row in outcomes],
            ],
        ),
    }
    if request.htmx.target == "progress":
        return render(request, "rounds/_progress.html", context)
    page = listing(
        request,
        queryset=selectors.selections(round_=round_),
        filters=SelectionFilter,
        per_page=CARDS,
    )
    worth = forecasts.worth_of(round_=round_)
    context |= {
        "worth": worth,
        "worth_by_brand": [
            row
            for row in forecasts.changes(report=worth.report if worth else {}, items={}, outcome={})
            if row.brand and row.recall
        ],
        "pooled": forecasts.pooled_worth() if worth else None,
        "listing": page,
        "cards": selection_cards(list(page.page)),
        "comparison": _comparison(round_),
        "config": json.dumps(round_.config, indent=2, ensure_ascii=False),
    }
    return render(request, "rounds/detail.html", context)


def selection_cards(chosen: list[Selection]) -> list[Card]:
    names = brand_names(proposed_keys(row.task for row in chosen))
    words = {name: str(text) for name, text in STRATEGIES}
    return [_selection_card(row, names, words) for row in chosen]


def _selection_card(row: Selection, names: dict[str, str], words: dict[str, str]) -> Card:
    task = row.task
    answers = task.answers  # type: ignore[attr-defined]  # selectors.rounds.selections
    label = answers[-1] if answers else None
    details = [(_("rank"), f"#{row.rank}"), (_("score"), f"{row.score:.3f}")]
    if row.propensity is not None:
        details.append((_("chance"), f"{row.propensity:.3g}"))
    if task.blind:
        details.append((_("shown"), _("blind")))
    reason = words.get(row.strategy, row.strategy)
    return Card(
        image=task.image,
        title=task.image.product.title if task.image.product else "",
        boxes=(label.boxes if label else None) or [],
        proposed_boxes=task.proposal.get("boxes") or [],
        answer=answer_text(label) if label else "",
        proposal=proposal_text(task, names),
        agrees=agrees(label, task) if label else None,
        score=task.proposal.get("score"),
        reason=f"{reason} → {row.focus_brand}" if row.focus_brand else reason,
        waits=label is None,
        by=label.by.get_username() if label and label.by else "",
        at=label.created_at if label else None,
        details=details,
    )


def _comparison(round_: Round) -> list[dict]:
    """Before and after, a row a model; empty before the candidate is measured."""
    if round_.candidate is None:
        return []
    reports = registry.reports_together(before=round_.champion, after=round_.candidate)
    before, after = (figures(report) for report in reports)
    return [
        {
            "kind": kind.label,
            "before": before.get(kind),
            "after": after[kind],
            "gate": round_.candidate.gate.get(kind, {}),
        }
        for kind in ModelKind
        if kind in after
    ]


@require_POST
@roles_allowed(*ENGINEERS)
def round_open(request: PageRequest) -> HttpResponse:
    def verb() -> None:
        verbs.open_round(config=_asked(request), by=request.user)

    return act(
        request,
        verb,
        done=_("A round is open."),
        to=reverse("rounds"),
        refusals=(verbs.RoundError,),
    )


def _asked(request: PageRequest) -> dict:
    """The budgets a person set, the rest as the default says."""
    budget = dict(verbs.DEFAULT_CONFIG["budget"])
    for kind in budget:
        text = request.POST.get(kind, "").strip()
        if text:
            if not text.isdecimal():
                raise verbs.RoundError(_("“%(text)s” is not a number of tasks") % {"text": text})
            budget[kind] = int(text)
    return {"budget": budget}


@require_POST
@roles_allowed(*ENGINEERS)
def round_cancel(request: PageRequest, number: int) -> HttpResponse:
    round_ = get_object_or_404(Round, number=number)
    return act(
        request,
        lambda: verbs.cancel_round(round_=round_, by=request.user),
        done=_("Round %(number)d is cancelled; its labels stay.") % {"number": number},
        to=reverse("round", args=[number]),
        refusals=(verbs.RoundError,),
    )


@require_POST
@roles_allowed(*ENGINEERS)
def round_retry(request: PageRequest, number: int) -> HttpResponse:
    round_ = get_object_or_404(Round, number=number)
    return act(
        request,
        lambda: verbs.retry_round(round_=round_, by=request.user),
        done=_("Round %(number)d goes on where it stopped.") % {"number": number},
        to=reverse("round", args=[number]),
        refusals=(verbs.RoundError,),
    )
