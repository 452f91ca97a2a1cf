"""The part of the graph after the trainings: measured, judged, promoted, and what that sets off."""

from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from active_learning import fusions
from active_learning.models import (
    EmbeddingRun,
    Evaluation,
    ModelKind,
    PromotionEvent,
    Release,
    Scan,
    TrainingRun,
)
from active_learning.selectors.graph.nodes import (
    ENDED_BADLY,
    NOT_NEEDED,
    WAITING,
    Node,
    job_node,
)
from annotation.models import EmbeddingSpace

SPACES = {"serving": "done", "filling": "running", "retired": "retired"}


def of_versions(versions: Sequence[int], release: str = "") -> Q:
    """Releases with one of the model versions; `release`: the way to them, as `release__`."""
    of_any = Q()
    for kind in ModelKind.values:
        of_any |= Q(**{f"{release}{kind}__in": versions})
    return of_any


def judged(
    candidate: Release | None,
    against: Release | None,
    versions: Sequence[int],
    *,
    after: Sequence[str],
) -> list[Node]:
    """From the evaluation to the cases' embeddings.

    Args:
        against: the champion that is evaluated with it, where a round asks for that.
        versions: ids of the model versions that were trained; a promotion is of a release with one
            of them: the candidate, or one that joins what passed with the champion's others.
    """
    evaluations = _evaluations(candidate, against, tuple(after))
    thresholds = _thresholds(candidate, evaluations[0])
    events = _events(versions)
    verdict = next((one for one in events if candidate and one.release_id == candidate.pk), None)
    gate = Node(
        key="gate",
        title=_("gate"),
        state=_gate_state(candidate),
        after=(thresholds.key, *(node.key for node in evaluations[1:])),
        page=thresholds.page,
        finished=verdict.created_at if verdict else None,
    )
    moved = (one for one in events if one.action == PromotionEvent.Action.PROMOTED)
    promotion = next(moved, None)
    promoted = _promoted(candidate, promotion)
    ends = _afterwards(promotion.release) if promotion else _nothing_yet(promoted.state)
    return [*evaluations, thresholds, gate, promoted, *ends]


def _evaluations(
    candidate: Release | None, against: Release | None, after: tuple[str, ...]
) -> list[Node]:
    if candidate is None:
        return [Node(key="evaluate", title=_("evaluation"), after=after)]
    releases = {"evaluate": candidate} | ({"evaluate-champion": against} if against else {})
    rows = Evaluation.objects.filter(release__in=releases.values()).defer("report").order_by("pk")
    last = {evaluation.release_id: evaluation for evaluation in rows}
    nodes = []
    for key, release in releases.items():
        node = Node(
            key=key,
            title=_("evaluation") if release == candidate else _("champion's evaluation"),
            after=after,
            page=reverse("release", args=[release.number]),
            detail=_("release %(number)s") % {"number": release.number},
        )
        nodes.append(job_node(node=node, job=last.get(release.pk)))
    return nodes


def _thresholds(candidate: Release | None, evaluation: Node) -> Node:
    """They are fitted by the evaluation's own child, on calibrated scores."""
    is_done = candidate is not None and bool(candidate.thresholds)
    return Node(
        key="thresholds",
        title=_("calibration, thresholds"),
        state="done" if is_done else evaluation.state,
        after=(evaluation.key,),
        page=evaluation.page,
        started=evaluation.started,
        finished=evaluation.finished,
        detail=_("with the evaluation"),
    )


def _events(versions: Sequence[int]) -> list[PromotionEvent]:
    if not versions:
        return []
    return list(
        PromotionEvent.objects.filter(of_versions(versions, "release__"))
        .select_related(*(f"release__{kind}" for kind in ModelKind.values))
        .order_by("pk")
    )


def _gate_state(candidate: Release | None) -> str:
    if candidate is None or not candidate.gate:
        turned_down = candidate is not None and candidate.state == Release.State.REJECTED
        return NOT_NEEDED if turned_down else WAITING
    return "passed" if any(one["passed"] for one in candidate.gate.values()) else "not_passed"


def _promoted(candidate: Release | None, event: PromotionEvent | None) -> Node:
    rejected = candidate is not None and candidate.state == Release.State.REJECTED
    release = event.release if event else candidate
    return Node(
        key="promote",
        title=_("promotion"),
        state="promoted" if event else "rejected" if rejected else WAITING,
        after=("gate",),
        page=reverse("release", args=[release.number]) if release else "",
        finished=event.created_at if event else None,
        detail=_("release %(number)s") % {"number": release.number} if event and release else "",
    )


def _nothing_yet(promotion: str) -> list[Node]:
    state = NOT_NEEDED if promotion == "rejected" else WAITING
    return [
        Node(key="rescan", title=_("scan of the pool"), state=state, after=("promote",)),
        Node(key="embed", title=_("cases embedded anew"), state=state, after=("promote",)),
        Node(key="fuse", title=_("models joined anew"), state=state, after=("promote",)),
        Node(key="flags", title=_("flags raised"), state=state, after=("rescan",)),
    ]


def _afterwards(release: Release) -> list[Node]:
    """The scan that the champion's flags come from, and the space that searches are made in."""
    scans = Scan.objects.filter(release=release, purpose=Scan.Purpose.POOL)
    scan = scans.order_by("-pk").first()
    return [_rescan(release, scan), _embedding(release), _fusion(release), _flags(release, scan)]


def _rescan(release: Release, scan: Scan | None) -> Node:
    is_champion = release.state == Release.State.CHAMPION
    node = Node(
        key="rescan",
        title=_("scan of the pool"),
        state=WAITING if is_champion else NOT_NEEDED,
        after=("promote",),
        page=reverse("release", args=[release.number]),
        detail=_("%(n)s images") % {"n": scan.rows} if scan else "",
    )
    if scan is not None or not is_champion:
        return job_node(node=node, job=scan)
    by_itself = settings.RESCAN_AFTER_PROMOTION
    return replace(
        node,
        detail=_("follows by itself") if by_itself else _("not asked for yet"),
        again=reverse("rescan"),
        again_words=_("Scan the pool now"),
    )


def _flags(release: Release, scan: Scan | None) -> Node:
    counts = scan.metrics.get("flags") if scan else None
    is_champion = release.state == Release.State.CHAMPION
    return Node(
        key="flags",
        title=_("flags raised"),
        state="done" if counts else WAITING if is_champion else NOT_NEEDED,
        after=("rescan",),
        page=reverse("review"),
        detail=_("%(n)s new") % {"n": counts["raised"]} if counts else "",
    )


def _fusion(release: Release) -> Node:
    """The training of the fusion of its models; its own candidate has a graph of its own."""
    run = None
    if release.fusion_id is None and fusions.can_be_fitted(release):
        models = fusions.recipe(release)["models"]
        runs = TrainingRun.objects.filter(kind=ModelKind.FUSION, config__models=models)
        run = runs.order_by("-pk").first()
    is_due = release.state == Release.State.CHAMPION and fusions.can_be_fitted(release)
    node = Node(
        key="fuse",
        title=_("models joined anew"),
        state=WAITING if is_due and release.fusion_id is None else NOT_NEEDED,
        after=("promote",),
        page=reverse("release", args=[release.number]),
    )
    if run is None:
        return node
    page = reverse("run", args=[run.pk])
    return job_node(node=replace(node, page=page, detail=str(run.model_version or "")), job=run)


def _embedding(release: Release) -> Node:
    classifier = release.classifier
    space = None
    if classifier is not None:
        space = EmbeddingSpace.objects.filter(model=classifier.artifact).first()
    node = Node(
        key="embed", title=_("cases embedded anew"), after=("promote",), page=reverse("cases")
    )
    if space is None:
        is_due = classifier is not None and release.state == Release.State.CHAMPION
        return node if is_due else replace(node, state=NOT_NEEDED)
    batch = EmbeddingRun.objects.filter(space=space, picture="").order_by("-pk").first()
    node = replace(node, started=space.created_at, finished=space.served_at)
    if batch is not None and batch.state in ENDED_BADLY and space.state != "retired":
        return job_node(node=node, job=batch)
    return replace(node, state=SPACES[space.state])
