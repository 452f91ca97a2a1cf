"""The graph of a round, and of a training outside one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from django.urls import reverse
from django.utils.translation import gettext as _

from active_learning.models import TRAINED_ALONE, ModelKind, Release, Round, RoundStep, TrainingRun
from active_learning.selectors.graph.judging import judged, of_versions
from active_learning.selectors.graph.nodes import ENDED_BADLY, Node, job_node
from active_learning.sentences import in_words

BEFORE_TRAINING = ("scan", "select", "push", "collect", "freeze")


def round_graph(round_: Round) -> list[Node]:
    """Of a round; `selectors.rounds.rounds` has fetched what it needs. A cold start has no scan, no
    questions and no champion."""
    steps = {step.name: step for step in round_.steps.all()}
    nodes: list[Node] = []
    for name in BEFORE_TRAINING:
        if name in steps:
            nodes.append(_step_node(round_, steps[name], after=[node.key for node in nodes[-1:]]))
    runs = _runs_of(round_)
    before = nodes[-1].key
    trained = [_training(run, after=before) for run in runs] or [
        _step_node(round_, steps["train"], after=[before])
    ]
    versions = [run.model_version_id for run in runs if run.model_version_id]
    ends = judged(round_.candidate, round_.champion, versions, after=[node.key for node in trained])
    return _with_failure([*nodes, *trained, *ends], round_, steps.values())


def run_graph(run: TrainingRun) -> list[Node]:
    """Of a training outside a round: the labels that asked for it, and what came of it. Of one that
    a person asked for nothing comes by itself."""
    asked = _("asked for by %(name)s") % {"name": run.requested_by} if run.requested_by else ""
    labels = Node(
        key="labels",
        title=_("labels"),
        state="done",
        page=reverse("labels"),
        finished=run.dataset.created_at,
        detail=in_words(run.why) if run.why else asked,
    )
    dataset = Node(
        key="freeze",
        title=_("dataset version"),
        state="done",
        after=(labels.key,),
        page=reverse("dataset", args=[run.dataset.sha256]),
        finished=run.dataset.created_at,
        detail=_("%(n)s rows") % {"n": run.dataset.rows},
    )
    nodes = [labels, dataset, _training(run, after=dataset.key)]
    versions = [run.model_version_id] if run.model_version_id else []
    candidate = None
    if versions:
        # The last: an evaluation that failed is run again with a release of its own.
        candidate = Release.objects.filter(of_versions(versions)).order_by("-number").first()
    if candidate is None and run.trigger == TrainingRun.Trigger.PERSON:
        return nodes
    return [*nodes, *judged(candidate, None, versions, after=[nodes[-1].key])]


def _runs_of(round_: Round) -> list[TrainingRun]:
    """The last of each model on the round's dataset, which is the one the round waits for."""
    if round_.dataset is None:
        return []
    last = (
        TrainingRun.objects.filter(dataset=round_.dataset, kind__in=TRAINED_ALONE)
        .select_related("model_version")
        .order_by("kind", "-pk")
        .distinct("kind")
    )
    return sorted(last, key=lambda run: ModelKind.values.index(run.kind))


def _training(run: TrainingRun, *, after: str) -> Node:
    node = Node(
        key=f"train-{run.kind}",
        title=_("training: %(kind)s") % {"kind": _(run.kind)},
        after=(after,),
        page=reverse("run", args=[run.pk]),
        detail=str(run.model_version or run.stage),
    )
    return job_node(node=node, job=run)


def _step_node(round_: Round, step: RoundStep, *, after: Sequence[str]) -> Node:
    titles = {
        "scan": _("scan of the pool"),
        "select": _("selection"),
        "push": _("tasks sent"),
        "collect": _("new labels"),
        "freeze": _("dataset version"),
        "train": _("training"),
    }
    return Node(
        key=step.name,
        title=titles[step.name],
        state=step.state,
        after=tuple(after),
        page=_page(round_, step.name),
        started=step.started_at,
        finished=step.finished_at,
        detail=_result(step),
        error=step.error,
        **_scan_again(round_, step),
    )


def _page(round_: Round, step: str) -> str:
    if step == "scan" and round_.champion:
        return reverse("release", args=[round_.champion.number])
    if step == "freeze" and round_.dataset:
        return reverse("dataset", args=[round_.dataset.sha256])
    return reverse("round", args=[round_.number])


def _scan_again(round_: Round, step: RoundStep) -> dict[str, str]:
    """Its own job, which has scanned some shards already, rather than the step from anew."""
    scan = round_.scan
    if step.name != "scan" or scan is None or scan.state not in ENDED_BADLY:
        return {}
    address = reverse("job-resume", args=["scan", scan.pk])
    return {"again": address, "again_words": _("Run it again")}


def _result(step: RoundStep) -> str:
    result = step.result
    if step.name == "select" and "selected" in result:
        return _("%(n)s images") % {"n": sum(result["selected"].values())}
    if step.name == "scan" and "images" in result:
        return _("%(n)s images") % {"n": result["images"]}
    if step.name == "collect" and "collected" in result:
        return _("%(n)s answers") % {"n": result["collected"]}
    if step.name == "freeze" and "rows" in result:
        return _("%(n)s rows") % {"n": result["rows"]}
    return ""


def _with_failure(nodes: list[Node], round_: Round, steps: Iterable[RoundStep]) -> list[Node]:
    """The failed step's error and its button, where none of its jobs has one of its own."""
    failures: Mapping[str, RoundStep] = {
        step.name: step for step in steps if step.state == RoundStep.State.FAILED
    }
    if round_.state != Round.State.FAILED or not failures:
        return nodes
    ((name, step),) = failures.items()
    mine = [node for node in nodes if node.key.partition("-")[0] == name]
    if not mine or any(node.again for node in mine):
        return nodes
    told = replace(
        mine[0],
        state="failed",
        error=step.error,
        started=step.started_at,
        finished=step.finished_at,
        again=reverse("round-retry", args=[round_.number]),
        again_words=_("Go on where it stopped"),
    )
    return [told if node.key == told.key else node for node in nodes]
