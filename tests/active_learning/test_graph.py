"""The graph of a round and of a training: what happened, in which order, and what runs it again."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from active_learning import fusions, promotion, rounds
from active_learning.models import EmbeddingRun, Release, Round, RoundStep
from active_learning.selectors import rounds as selectors
from active_learning.selectors import training
from active_learning.selectors.graph import Node, columns, round_graph, run_graph
from active_learning.sentences import sentence
from annotation.models import EmbeddingSpace
from tests.active_learning.factories import (
    DatasetVersionFactory,
    EvaluationFactory,
    ModelVersionFactory,
    ReleaseFactory,
    ScanFactory,
    TrainingRunFactory,
)
from webapp.templatetags.graph import loop_graph

pytestmark = pytest.mark.django_db
NOW = timezone.now()
WHOLE = ["scan", "select", "push", "collect", "freeze"]


def a_round(*, until: str, state: str = "running", failed: str = "", **fields) -> Round:
    """A round whose steps before `until` are done; `failed` is the error of that one."""
    round_ = Round.objects.create(number=3, seed=3, state=state, **fields)
    reached = rounds.WHOLE.index(until)
    for position, name in enumerate(rounds.WHOLE):
        done = position < reached
        RoundStep.objects.create(
            round=round_, name=name, position=position,
            state="done" if done else "failed" if failed and name == until else "waiting",
            error=failed if name == until else "", started_at=NOW if done else None,
            finished_at=NOW + timedelta(minutes=2) if done else None,
            result={"selected": {"probe": 3, "uncertain": 4}} if name == "select" and done else {},
        )  # fmt: skip
    return round_


def graph(round_: Round) -> dict:
    return {node.key: node for node in round_graph(selectors.rounds().get(pk=round_.pk))}


def graph_of(run) -> dict:
    return {node.key: node for node in run_graph(training.runs().get(pk=run.pk))}


def test_a_round_shows_every_step_to_the_cases_and_what_has_no_row_yet_waits():
    nodes = graph(a_round(until="collect", champion=ReleaseFactory(state="champion")))
    assert list(nodes) == [
        *WHOLE, "train", "evaluate", "thresholds", "gate", "promote", "rescan", "embed", "fuse",
        "flags",
    ]  # fmt: skip
    assert [nodes[key].state for key in WHOLE] == ["done"] * 3 + ["waiting"] * 2
    assert {nodes[key].state for key in list(nodes)[5:]} == {"waiting"}
    assert nodes["select"].detail == "7 images"
    assert nodes["select"].finished - nodes["select"].started == timedelta(minutes=2)
    assert not any(node.again for node in nodes.values())


def test_each_model_of_a_round_is_a_node_of_its_own_side_by_side():
    dataset = DatasetVersionFactory()
    for kind, state in (
        ("variation", "queued"),
        ("classifier", "succeeded"),
        ("detector", "failed"),
    ):
        TrainingRunFactory(kind=kind, dataset=dataset, state=state)
    round_ = a_round(until="train", dataset=dataset)
    nodes = graph(round_)
    trained = [key for key in nodes if key.startswith("train")]
    assert trained == ["train-classifier", "train-detector", "train-variation"]
    places = columns(list(nodes.values()))
    assert [places[key] for key in trained] == [(5, 0), (5, 1), (5, 2)]
    assert nodes["evaluate"].after == tuple(trained)
    assert places["evaluate"] == (6, 0)


def test_a_failed_training_is_run_again_from_its_node_not_the_whole_step():
    dataset = DatasetVersionFactory()
    run = TrainingRunFactory(dataset=dataset, state="failed", error="disk full")
    round_ = a_round(until="train", state="failed", failed="training failed", dataset=dataset)
    node = graph(round_)["train-classifier"]
    assert (node.state, node.error) == ("failed", "disk full")
    assert node.again == reverse("job-resume", args=["trainingrun", run.pk])


def test_a_step_that_failed_with_no_job_is_retried_as_a_step():
    round_ = a_round(until="evaluate", state="failed", failed="nothing to evaluate on")
    node = graph(round_)["evaluate"]
    assert (node.state, node.error) == ("failed", "nothing to evaluate on")
    assert node.again == reverse("round-retry", args=[3])


def test_after_a_promotion_the_scan_may_be_asked_for_until_somebody_has():
    model = ModelVersionFactory()
    candidate = ReleaseFactory(classifier=model)
    run = TrainingRunFactory(state="succeeded", model_version=model, trigger="labels")
    EvaluationFactory(release=candidate, state="succeeded")
    promotion.promote(release=candidate, by=None, why="better")
    nodes = graph_of(run)
    assert (nodes["gate"].state, nodes["promote"].state) == ("passed", "promoted")
    assert nodes["rescan"].again == reverse("rescan")
    scan = ScanFactory(release=candidate, state="succeeded", metrics={"flags": {"raised": 12}})
    nodes = graph_of(run)
    assert (nodes["rescan"].state, nodes["rescan"].again) == ("succeeded", "")
    assert (nodes["flags"].state, nodes["flags"].detail) == ("done", "12 new")
    scan.state = "failed"
    scan.save()
    assert graph_of(run)["rescan"].again == reverse("job-resume", args=["scan", scan.pk])


def test_the_cases_embeddings_follow_the_promoted_classifier():
    model = ModelVersionFactory()
    candidate = ReleaseFactory(classifier=model)
    run = TrainingRunFactory(state="succeeded", model_version=model, trigger="labels")
    promotion.promote(release=candidate, by=None, why="better")
    assert graph_of(run)["embed"].state == "waiting"
    space = EmbeddingSpace.objects.create(model=model.artifact)
    assert graph_of(run)["embed"].state == "running"
    batch = EmbeddingRun.objects.create(
        space=space, images=9, state="failed", error="no disk", output="/nowhere"
    )
    node = graph_of(run)["embed"]
    assert (node.state, node.error) == ("failed", "no disk")
    assert node.again == reverse("job-resume", args=["embeddingrun", batch.pk])
    batch.delete()
    EmbeddingSpace.objects.update(state="serving", served_at=NOW)
    assert graph_of(run)["embed"].state == "done"


def test_the_fusion_of_promoted_models_follows_and_can_be_run_again():
    model, other = ModelVersionFactory(), ModelVersionFactory(kind="detector")
    candidate = ReleaseFactory(classifier=model, detector=other)
    run = TrainingRunFactory(state="succeeded", model_version=model, trigger="labels")
    promotion.promote(release=candidate, by=None, why="better")
    assert graph_of(run)["fuse"].state == "waiting"
    fusion = TrainingRunFactory(
        kind="fusion", config=fusions.recipe(candidate), state="failed", error="no disk"
    )
    node = graph_of(run)["fuse"]
    assert (node.state, node.error, node.page) == (
        "failed", "no disk", reverse("run", args=[fusion.pk]),
    )  # fmt: skip
    assert node.again == reverse("job-resume", args=["trainingrun", fusion.pk])


def test_a_training_that_labels_started_says_which_and_how_far_it_came():
    why = sentence("%(count)s new labels, %(needed)s needed", count=9, needed=6)
    run = TrainingRunFactory(state="running", trigger="labels", why=why, stage="epoch 2")
    nodes = graph_of(run)
    assert nodes["labels"].detail == "9 new labels, 6 needed"
    assert nodes["train-classifier"].detail == "epoch 2"
    assert nodes["promote"].state == "waiting"


def test_a_turned_down_candidate_ends_the_graph_and_says_what_is_not_needed():
    model = ModelVersionFactory()
    run = TrainingRunFactory(state="succeeded", model_version=model, trigger="labels")
    gate = {"classifier": {"passed": False, "reasons": []}}
    promotion.reject(release=ReleaseFactory(classifier=model, gate=gate), why="worse")
    nodes = graph_of(run)
    assert (nodes["gate"].state, nodes["promote"].state) == ("not_passed", "rejected")
    assert {nodes[key].state for key in ("rescan", "embed", "fuse", "flags")} == {"not_needed"}


def test_of_a_person_s_training_nothing_follows_by_itself():
    run = TrainingRunFactory(state="succeeded", model_version=ModelVersionFactory())
    assert list(graph_of(run)) == ["labels", "freeze", "train-classifier"]


def test_a_mixed_release_counts_as_the_promotion_of_what_passed():
    model = ModelVersionFactory()
    candidate = ReleaseFactory(classifier=model, detector=ModelVersionFactory(kind="detector"))
    promotion.reject(release=candidate, why="the detector did not pass")
    mixed = ReleaseFactory(classifier=model)
    promotion.promote(release=mixed, by=None, why="the classifier passed")
    dataset = DatasetVersionFactory()
    TrainingRunFactory(dataset=dataset, state="succeeded", model_version=model)
    round_ = a_round(until="gate", dataset=dataset, candidate=candidate)
    node = graph(round_)["promote"]
    assert (node.state, node.detail) == ("promoted", f"release {mixed.number}")
    assert Release.objects.get(state="champion") == mixed


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("10 images", "✓ succeeded · 10 images"),
        ("100 images", "✓ succeeded · 100 imag…"),
        ("一百张图片", "✓ succeeded · 一百张图…"),
    ],
)
def test_words_that_do_not_fit_into_a_node_are_cut_by_their_width(detail, shown):
    node = Node("scan", "scan of the pool", state="succeeded", detail=detail)
    (drawn,) = loop_graph([node], "round 1")["nodes"]
    assert drawn["words"] == shown
