"""Candidates become champion as a whole, in part, or not at all; and every move is kept."""

from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from active_learning import contests, evaluations, promotion, settling
from active_learning.commanding import machine_account
from active_learning.contests import NotEvaluated, versions_of
from active_learning.gates import reasons_in_words, unmet
from active_learning.models import Evaluation, ModelVersion, PromotionEvent, Release
from active_learning.promotion import GateNotPassed, PromotionError
from annotation.models import AuditEntry
from ml.artifact import Artifact, write_artifact
from ml.manifest import read_manifest, write_manifest
from tests.active_learning.factories import (
    EvaluationFactory,
    ModelVersionFactory,
    ReleaseFactory,
)
from webapp.roles import ensure_roles

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(tmp_path):
    """Make a model version with a small artifact of its own."""

    def make(kind: str, number: int) -> ModelVersion:
        folder = tmp_path / f"{kind}-{number}"
        folder.mkdir()
        (folder / "weights.safetensors").write_bytes(b"weights")
        labels = ["acme", "globex", "none"] if kind == "classifier" else ["acme", "globex"]
        config = {"seed": number}  # no two are the same model
        files = {"weights.safetensors": ""}
        artifact = Artifact(kind, labels, config, "0" * 64, "0", files=files)
        write_artifact(artifact, folder)
        rows = [{"image": "a.jpg", "sha256": f"{number}", "split": "train", "group": f"t{number}"}]
        path = write_manifest(rows, tmp_path).path
        return ModelVersionFactory(
            kind=kind, number=number, artifact=str(folder), dataset__path=str(path)
        )

    return make


def report(recall):
    return {
        "closed": {"mean_recall": recall},
        "open": {"flag_ratio": 0.01, "threshold": 0.9, "n": 1000},
        "thresholds": {"*": recall},
    }


def evaluated(release, **recalls):
    """Measured on test sets that lie beside its models."""
    version = next(filter(None, versions_of(release).values()))
    rows = [{"image": "b.jpg", "sha256": "e", "split": "closed", "group": "e"}]
    manifest = write_manifest(rows, Path(version.artifact).parent)
    EvaluationFactory(
        release=release,
        state="succeeded",
        manifest=str(manifest.path),
        report={kind: report(recall) for kind, recall in recalls.items()},
    )
    return release


@pytest.fixture
def champion(version):
    release = promotion.create_release(
        classifier=version("classifier", 1), detector=None, variation=version("variation", 1)
    )
    evaluated(release, classifier=0.5, variation=0.5)
    return settling.settle(candidate=release)


def candidate(version, classifier, variation):
    release = promotion.create_release(
        classifier=version("classifier", 2), detector=None, variation=version("variation", 2)
    )
    return evaluated(release, classifier=classifier, variation=variation)


def test_a_release_takes_the_next_number_and_the_classifiers_brands(version):
    first = promotion.create_release(
        classifier=version("classifier", 1), detector=None, variation=None
    )
    second = promotion.create_release(
        classifier=None, detector=version("detector", 1), variation=None
    )
    assert second.number == first.number + 1
    assert first.brands == second.brands == ["acme", "globex"]
    with pytest.raises(PromotionError, match="needs a model"):
        promotion.create_release(classifier=None, detector=None, variation=None)


def test_the_first_release_becomes_champion(champion):
    assert champion.state == "champion"
    event = champion.events.get()
    assert (event.action, event.previous, event.by) == ("promoted", None, None)
    assert "closed mean recall 0.500" in event.why


def test_a_candidate_that_passes_whole_replaces_the_champion(champion, version):
    new = candidate(version, classifier=0.6, variation=0.6)
    assert settling.settle(candidate=new) == new
    champion.refresh_from_db()
    assert champion.state == "retired"
    assert new.gate["classifier"]["passed"] is True
    assert new.events.get().previous == champion


def test_what_passed_is_promoted_beside_the_champions_others(champion, version):
    new = candidate(version, classifier=0.6, variation=0.2)
    live = settling.settle(candidate=new)
    assert (live.classifier, live.variation) == (new.classifier, champion.variation)
    assert live.state == "champion"
    assert live.thresholds == {"classifier": {"*": 0.6}, "variation": {"*": 0.5}}
    new.refresh_from_db()
    assert new.state == "rejected"
    assert new.gate["variation"]["passed"] is False
    assert "variation did not pass" in new.events.get().why
    assert f"it is in release {live.number}" in new.events.get().why
    assert "it is in" not in live.events.get().why
    assert Evaluation.objects.get(release=live).report["variation"] == report(0.5)


def test_a_candidate_that_is_worse_is_rejected_with_reasons(champion, version):
    new = candidate(version, classifier=0.1, variation=0.1)
    assert settling.settle(candidate=new) == champion
    assert new.state == "rejected"
    event = new.events.get()
    assert event.action == "rejected"
    assert "closed mean recall 0.100, the champion 0.500" in event.why


def test_settling_twice_changes_nothing_more(champion, version):
    new = candidate(version, classifier=0.6, variation=0.2)
    live = settling.settle(candidate=new)
    events = PromotionEvent.objects.count()
    assert settling.settle(candidate=new) == live
    assert (PromotionEvent.objects.count(), Release.objects.count()) == (events, 3)


def test_an_older_model_never_replaces_a_newer_one(champion, version):
    stale = promotion.create_release(
        classifier=version("classifier", 2), detector=None, variation=champion.variation
    )
    settling.settle(candidate=candidate_of(version, champion))
    live = settling.settle(candidate=evaluated(stale, classifier=0.9, variation=0.5))
    assert live.classifier.number == 3
    assert "which is newer" in reasons_in_words(stale.gate["classifier"])[0]


def candidate_of(version, champion):
    release = promotion.create_release(
        classifier=version("classifier", 3), detector=None, variation=champion.variation
    )
    return evaluated(release, classifier=0.7, variation=0.5)


def test_without_reports_on_the_same_test_sets_nothing_is_settled(champion, version, tmp_path):
    new = promotion.create_release(
        classifier=version("classifier", 2), detector=None, variation=champion.variation
    )
    with pytest.raises(NotEvaluated, match="has not been evaluated"):
        settling.settle(candidate=new)
    rows = [{"image": "/a.jpg", "sha256": "a" * 64, "split": "closed", "answer": "none"}]
    manifest = write_manifest(rows, tmp_path)
    EvaluationFactory(
        release=new,
        state="succeeded",
        manifest=str(manifest.path),
        manifest_sha256=manifest.sha256,
        report={"classifier": report(0.9), "variation": report(0.5)},
    )
    for _ in range(2):
        with pytest.raises(NotEvaluated, match="the champion"):
            settling.settle(candidate=new)
    asked = champion.evaluations.get(manifest_sha256=manifest.sha256)
    assert asked.state == "queued", "the missing evaluation was asked for, once"
    new.refresh_from_db()
    assert new.state == "candidate"


def test_a_candidate_is_turned_down_where_the_champions_evaluation_ends_badly(champion, version):
    def fail(error):
        asked = champion.evaluations.get(state="queued")
        Evaluation.objects.filter(pk=asked.pk).update(state="failed", error=error)

    new = candidate_of(version, champion)
    manifest = read_manifest(new.evaluations.get().manifest)
    champion.evaluations.all().delete()
    evaluations.request_evaluation(release=champion, manifest=manifest)
    fail("out of memory")
    Evaluation.objects.filter(release=new).update(
        manifest_sha256=manifest.sha256, created_at=timezone.now()
    )
    with pytest.raises(NotEvaluated, match="the champion"):
        settling.settle(candidate=new)  # what failed before it was measured may end well now
    fail("its model is gone")
    assert settling.settle(candidate=new) == champion
    new.refresh_from_db()
    assert new.state == "rejected"
    event = PromotionEvent.objects.get(release=new)
    assert event.why.endswith(f"{champion}, failed: its model is gone")
    assert champion.evaluations.count() == 2


def test_rolling_back_goes_back_promotion_by_promotion(version):
    releases = [
        promotion.create_release(classifier=version("classifier", n), detector=None, variation=None)
        for n in (1, 2, 3)
    ]
    person = User.objects.create(username="engineer")
    for release in releases:
        promotion.promote(release=release, by=None, why="looks good")
    assert promotion.roll_back(by=person, why="complaints") == releases[1]
    assert promotion.roll_back(by=person, why="more of them") == releases[0]
    with pytest.raises(PromotionError, match="none before it"):
        promotion.roll_back(by=person, why="once more")
    for release, state in zip(releases, ["champion", "retired", "retired"], strict=True):
        release.refresh_from_db()
        assert release.state == state
    event = PromotionEvent.objects.first()
    assert (event.action, event.by, event.why) == ("rolled_back", person, "more of them")
    assert event.previous == releases[1]


def test_what_cannot_be_promoted_is_refused(champion):
    with pytest.raises(PromotionError, match="champion already"):
        promotion.promote(release=champion, by=None, why="again")
    with pytest.raises(PromotionError, match="has no model"):
        promotion.promote(release=ReleaseFactory(classifier=None), by=None, why="empty")
    with pytest.raises(PromotionError, match="no candidate"):
        promotion.reject(release=champion, why="tired of it")


@pytest.fixture
def turned_down(champion, version):
    """A candidate whose variation model the gates have turned down, and its classifier too."""
    new = candidate(version, classifier=0.1, variation=0.1)
    settling.settle(candidate=new)
    return new


@pytest.fixture
def engineer():
    ensure_roles()
    person = User.objects.create(username="engineer")
    person.groups.add(Group.objects.get(name="ml_engineer"))
    return person


def test_what_the_gates_turned_down_is_promoted_only_by_overriding_them(turned_down, engineer):
    with pytest.raises(GateNotPassed, match=r"did not pass: classifier: closed mean recall 0\.100"):
        promotion.promote(release=turned_down, by=engineer, why="I like it")
    with pytest.raises(PromotionError, match="Say why"):
        promotion.promote(release=turned_down, by=engineer, why=" ", override=True)
    live = promotion.promote(release=turned_down, by=engineer, why="a new season", override=True)
    assert live.state == "champion"
    event = live.events.all()[0]
    assert (event.action, event.by, event.why) == ("promoted", engineer, "a new season")
    assert [(one["model"], one["gate"]) for one in event.overridden] == [
        ("classifier", "recall"),
        ("variation", "recall"),
    ]
    with pytest.raises(Exception, match="append-only"), transaction.atomic():
        live.events.update(overridden=[])
    entry = AuditEntry.objects.get(action="release_promoted", by=engineer)
    assert entry.after == {"champion": str(live), "overridden": ["recall"]}


def test_only_engineers_and_administrators_override(turned_down, engineer):
    engineer.groups.set([Group.objects.get(name="operations")])
    person = User.objects.get(pk=engineer.pk)
    with pytest.raises(PromotionError, match="Only ML engineers"):
        promotion.promote(release=turned_down, by=person, why="please", override=True)
    chief = User.objects.create_superuser("chief")
    assert promotion.promote(release=turned_down, by=chief, why="now", override=True)


def test_a_release_that_no_gate_has_judged_is_overridden_too(champion, version, engineer):
    new = candidate(version, classifier=0.9, variation=0.9)
    with pytest.raises(GateNotPassed, match="no gate has judged it"):
        promotion.promote(release=new, by=engineer, why="no time")
    promotion.promote(release=new, by=engineer, why="no time", override=True)
    assert new.events.get().overridden[0]["gate"] == "unjudged"


def test_the_command_overrides_with_a_reason_and_keeps_the_account(turned_down, capsys):
    with pytest.raises(CommandError, match="did not pass") as refused:
        call_command("promote", str(turned_down.number), why="it is fine")
    assert refused.value.returncode == 2
    with pytest.raises(CommandError, match="nobody is called"):
        call_command("promote", str(turned_down.number), override="x", by="ghost")
    call_command("promote", str(turned_down.number), override="complaints")
    event = turned_down.events.all()[0]
    assert (event.by, event.why) == (None, "complaints")
    assert event.account == machine_account()
    assert event.overridden
    call_command("rollback", why="worse")
    assert turned_down.events.count() == 2
    assert PromotionEvent.objects.first().account == machine_account()


def test_a_model_trained_on_a_test_image_is_turned_down_even_as_the_first(version, tmp_path):
    first = promotion.create_release(
        classifier=version("classifier", 1), detector=None, variation=None
    )
    rows = [{"image": "b.jpg", "sha256": "e", "split": "train", "group": "e"}]
    older = ModelVersionFactory(dataset__path=str(write_manifest(rows, tmp_path / "old").path))
    ModelVersion.objects.filter(pk=first.classifier_id).update(parent=older)
    evaluated(Release.objects.get(pk=first.pk), classifier=0.9)
    candidate = Release.objects.get(pk=first.pk)
    assert settling.settle(candidate=candidate) is None
    assert [one["gate"] for one in unmet(candidate.gate)] == ["leakage"], "by what it started from"


def test_a_champion_that_changed_while_a_candidate_was_judged_is_judged_anew(
    champion, version, monkeypatch
):
    new = candidate(version, classifier=0.6, variation=0.6)
    prepare = contests.prepare

    def overtaken(*args):
        found = prepare(*args)
        promotion.promote(release=ReleaseFactory(), by=None, why="quicker")
        return found

    monkeypatch.setattr(contests, "prepare", overtaken)
    with pytest.raises(NotEvaluated, match="while"):
        settling.settle(candidate=new)
    new.refresh_from_db()
    assert new.state == "candidate"


def test_the_database_refuses_a_second_champion_and_a_rewritten_history(champion):
    with pytest.raises(IntegrityError), transaction.atomic():
        ReleaseFactory(state="champion")
    with pytest.raises(Exception, match="append-only"), transaction.atomic():
        champion.events.update(why="never happened")


@pytest.mark.django_db(transaction=True)
def test_two_that_promote_at_once_take_turns(version):
    import threading

    releases = [ReleaseFactory() for _ in range(4)]
    errors = []

    def promote(release):
        try:
            promotion.promote(release=release, by=None, why="race")
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=promote, args=[release]) for release in releases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert Release.objects.filter(state="champion").count() == 1
    assert PromotionEvent.objects.values("previous").distinct().count() == 4, "one after another"
