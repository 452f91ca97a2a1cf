"""The loop's side of `tests.demo_rows`: releases with reports, rounds, runs, the sync's state."""

import random
from dataclasses import replace
from datetime import timedelta

import numpy as np
from django.contrib.auth.models import User
from django.utils import timezone

from active_learning.coldstarts import full_config
from active_learning.gates import Contest, judge, verdict_in_words
from active_learning.gates.shadow import fresh_flags
from active_learning.models import (
    ColdStart,
    DatasetExport,
    DatasetVersion,
    Evaluation,
    Forecast,
    ModelVersion,
    PromotionEvent,
    Release,
    Round,
    RoundStep,
    Scan,
    Shadow,
    TrainingRun,
    Worth,
)
from annotation.models import Brand, InboxEvent, LabelStudioProject, Task
from ml.evaluate.compare import difference

KINDS = ("classifier", "detector", "variation", "text", "fusion")
STEPS = ("scan", "select", "push", "collect", "freeze", "train", "evaluate", "gate")


def report(rng: random.Random, brands: list[Brand], level: float) -> dict:
    """The shape of what `ml evaluate` writes."""
    recalls = {
        brand.key: {"recall": min(1, max(0, round(rng.gauss(level, 0.1) * 20) / 20)), "n": 20}
        for brand in brands
    }
    figure = {"value": level, "low": level - 0.1, "high": level + 0.1, "n": 20}
    of_brand = {"recall": figure, "flag_ratio": figure, "precision": figure}
    fixed = [
        {"threshold": at, "per_brand": {brand.key: of_brand for brand in brands}}
        for at in (0.5, 0.9, 0.99)
    ]
    closed = {
        "mean_recall": sum(row["recall"] for row in recalls.values()) / len(recalls),
        "per_brand": recalls,
    }
    flagged = {"flag_ratio": 0.02 - level / 70, "threshold": 0.7, "n": 900}
    return {
        "classifier": {
            "kind": "classifier",
            "closed": closed,
            "open": flagged,
            "fixed_thresholds": fixed,
        },
        "detector": {"kind": "detector", "closed": closed, "open": flagged, "map50": level - 0.1},
        "variation": {
            "kind": "variation",
            "closed": {"mean_recall": level, "per_class": {"collage": {"recall": level, "n": 60}}},
            "open": flagged,
        },
        "text": {"kind": "text", "closed": closed, "open": flagged},
        "fusion": {"kind": "fusion", "closed": closed, "open": flagged},
    }


def make_releases(rng: random.Random, brands: list[Brand]) -> list[Release]:
    releases: list[Release] = []
    dataset, versions, best = None, dict.fromkeys(KINDS), None
    for i, state in enumerate(["retired", "champion", "rejected"]):
        level = (0.55, 0.67, 0.60)[i]
        dataset = DatasetVersion.objects.create(
            sha256=f"{i:064x}", path="m.parquet", rows=900 + 200 * i, parent=dataset,
            brands=[brand.key for brand in brands],
            counts={
                "split": {"train": 800 + 180 * i, "val": 100 + 20 * i},
                "answer": {"brand": 600 + 100 * i, "none": 300 + 100 * i},
                "train": {"brand": {}, "background": 3, "boxed": {"brand-01": 5}, "variation": {}},
            },
        )  # fmt: skip
        versions = {
            kind: ModelVersion.objects.create(
                kind=kind, number=i + 1, dataset=dataset, parent=versions[kind],
                artifact=f"runs/{kind}-{i}/model", metrics={"val_accuracy": level},
            )
            for kind in KINDS
        }  # fmt: skip
        measured = report(rng, brands, level)
        contests = {
            kind: Contest(kind=kind, report=own, champion=best and best[kind])
            for kind, own in measured.items()
        }
        if best is None:  # a first fusion has to better what it joins
            contests["fusion"] = replace(
                contests["fusion"], champion=measured["classifier"], alone="classifier"
            )
        gate = judge(contests)
        best = measured if state != "rejected" else best
        release = Release.objects.create(
            number=i + 1, state=state, brands=dataset.brands, **versions,
            thresholds={"classifier": {"*": 0.7}},
            gate=gate,
        )  # fmt: skip
        finished = timezone.now() - timedelta(hours=8 - 3 * i)
        Evaluation.objects.create(
            release=release, manifest_sha256="e" * 64, manifest="e.parquet", state="succeeded",
            report=measured, output="", finished_at=finished,
        )  # fmt: skip
        PromotionEvent.objects.create(
            release=release, previous=releases[-1] if releases else None,
            action="promoted" if i < 2 else "rejected", why=verdict_in_words(gate),
        )  # fmt: skip
        releases.append(release)
    return releases


def make_rounds(releases: list[Release]) -> list[Round]:
    """The cold start, a round that is done, and one whose answers are coming in."""
    now, rounds = timezone.now(), []
    for number, release in enumerate(releases):
        is_last = number == len(releases) - 1
        names = STEPS[4:] if number == 0 else STEPS
        champion = releases[min(number, 2) - 1] if number else None
        scan = None
        if champion:
            scan = Scan.objects.create(
                release=champion, manifest_sha256=f"{number:064x}", manifest="p.parquet", rows=2100,
                state="succeeded", output="", finished_at=now - timedelta(hours=3),
            )  # fmt: skip
        round_ = Round.objects.create(
            number=number, seed=number, state="running" if is_last else "done", champion=champion,
            candidate=None if is_last else release, scan=scan,
            dataset=None if is_last else release.classifier.dataset,
            config={"budget": {"brand": 240, "boxes": 40, "variation": 20}},
            finished_at=None if is_last else now - timedelta(hours=2),
        )  # fmt: skip
        for position, name in enumerate(names):
            state = (
                "done" if not is_last or position < 3 else "running" if position == 3 else "waiting"
            )
            began = now - timedelta(minutes=90 - 8 * position)
            RoundStep.objects.create(
                round=round_, name=name, position=position, state=state,
                started_at=None if state == "waiting" else began,
                finished_at=began + timedelta(minutes=6) if state == "done" else None,
                result={"models": release.gate} if name == "gate" and state == "done" else {},
            )  # fmt: skip
        rounds.append(round_)
    return rounds


def make_forecasts(rng: random.Random, rounds: list[Round], brands: list[Brand]) -> None:
    """The preview that the second round was opened with and what its labels bought; another that
    is being made."""
    made = {"release": rounds[1].champion, "config": rounds[1].config, "output": ""}
    chosen = [
        {"kind": "brand", "strategy": rng.choice(["threshold", "uncertain"]), "brand": brand.key,
         "items": rng.randint(1, 9)}
        for brand in brands
    ]  # fmt: skip
    effort = {"brand": {"items": 240, "answers": 310, "hours": 0.7}}
    Forecast.objects.create(
        **made, round=rounds[1], state="succeeded", progress=1, chosen=chosen, effort=effort,
        report=_changes(rng, brands) | {"known": 900, "closed": 800, "opened": 900, "draws": 40},
    )  # fmt: skip
    Forecast.objects.create(
        **made, state="running", progress=0.3, stage="forecast", chosen=chosen, effort=effort
    )
    Worth.objects.create(
        round=rounds[1], state="succeeded", report=_changes(rng, brands) | {"each": 36}, output=""
    )


def _changes(rng: random.Random, brands: list[Brand]) -> dict:
    def figures() -> dict[str, float]:
        before, change, half = rng.uniform(0.3, 0.8), rng.gauss(0.03, 0.05), rng.uniform(0.02, 0.1)
        return {
            "before": before, "after": before + change, "change": change, "low": change - half,
            "high": change + half,
        }  # fmt: skip

    return {
        "recall": figures(),
        "precision": figures(),
        "brands": {
            brand.key: {"recall": figures(), "precision": figures() if rng.random() < 0.4 else None}
            for brand in brands
        },
    }


def make_runs(releases: list[Release], people: dict[str, User]) -> None:
    now = timezone.now()
    for release in releases:
        for kind in KINDS:
            version: ModelVersion = getattr(release, kind)
            TrainingRun.objects.create(
                kind=kind, dataset=version.dataset, state="succeeded", trigger="round",
                parent=version.parent, model_version=version, progress=1, stage="done", output="",
                started_at=now - timedelta(minutes=50), finished_at=now - timedelta(minutes=40),
            )  # fmt: skip
    common = {"dataset": DatasetVersion.objects.latest("pk"), "output": ""}
    DatasetExport.objects.create(
        dataset=common["dataset"], format="coco", state="succeeded", progress=1, size=123_456,
        requested_by=people["ml_engineer"], output="", finished_at=now,
    )  # fmt: skip
    TrainingRun.objects.create(
        kind="detector", state="failed", trigger="labels", error="out of memory", **common,
        started_at=now - timedelta(minutes=20), finished_at=now - timedelta(minutes=19),
    )  # fmt: skip
    TrainingRun.objects.create(
        kind="classifier", state="running", trigger="person", requested_by=people["ml_engineer"],
        progress=0.42, stage="train", started_at=now - timedelta(minutes=3),
        heartbeat_at=now, machine="train-1", device="cuda:0", **common,
    )  # fmt: skip


def make_trials(releases: list[Release], brands: list[Brand], people: dict[str, User]) -> None:
    """A cold start whose round has measured its brand, and a release that was in shadow."""
    now = timezone.now()
    begun = ColdStart.objects.create(
        brand=brands[1], rounds_wanted=1, requested_by=people["ml_engineer"], finished_at=now,
        state="done", config=full_config(None),
    )  # fmt: skip
    Round.objects.filter(number=1).update(cold_start=begun)
    share = {"value": 0.02, "low": 0.01, "high": 0.04, "n": 800}
    compared = {
        "n": 800, "groups": 790, "models": ["classifier"], "champion": share,
        "challenger": share, "agreement": share | {"value": 0.97, "high": 0.99},
        "difference": difference(np.arange(800) < 16, np.arange(800) < 18, np.arange(800)),
        "only": {"challenger_only": 2, "champion_only": 0}, "drift": {},
    }  # fmt: skip
    Shadow.objects.create(
        release=releases[2], champion=releases[1], state="done", ends_at=now, finished_at=now,
        report=compared | {"verdict": fresh_flags(compared).as_json()},
    )  # fmt: skip


def make_sync() -> None:
    now = timezone.now()
    for i, kind in enumerate(Task.Kind.values):
        LabelStudioProject.objects.create(
            kind=kind, remote_id=i + 1, config_hash="0" * 64, webhook_id=i + 1, last_poll_at=now,
            reconciled_at=now - timedelta(minutes=1), drift={"ours": 50, "theirs": 50, "lost": 0},
        )  # fmt: skip
    InboxEvent.objects.bulk_create(
        InboxEvent(payload={}, digest=f"{i:064x}", processed_at=now) for i in range(50)
    )
