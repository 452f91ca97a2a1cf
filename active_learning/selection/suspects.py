"""Brand tasks on training material: weak labels that are probably wrong. These alone are not of the
pool: what is doubted is what models learn from."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from django.db.models import Exists, OuterRef

from active_learning.datasets import BUSY
from active_learning.models import Release, Round, Selection
from active_learning.selection.pool import brands_by_key
from active_learning.selection.requests import new_selection
from annotation.models import Consensus, ImageVector, Task
from annotation.models.image import LEARNED_SPLITS
from annotation.models.label import Answer
from ml.acquisition import SUSPECTED, Choice, left_out_chances, suspicion

LEAST = 50  # known images; fewer say nothing about each other
SHOWN = 4  # likeliest brands, as keys of the task


def suspect_tasks(round_: Round, release: Release, budget: int) -> list[Selection]:
    """Images whose label is only the source's word, the most suspicious first, as far as the
    release's classifier has embedded them. What people have answered speaks beside it, unasked."""
    if budget <= 0 or release.classifier is None:
        return []
    rows = list(_known(release))
    labels = [*release.brands, None]  # the last: none of these
    place = {key: i for i, key in enumerate(release.brands)}
    given = np.array([place.get(row["brand"], len(release.brands)) for row in rows], int)
    if len({row["group"] for row in rows}) < LEAST or len(np.unique(given)) < 2:
        return []
    present, classes = np.unique(given, return_inverse=True)
    chances = left_out_chances(
        np.array([row["look"] for row in rows], np.float32), classes, [r["group"] for r in rows]
    )
    value = suspicion(chances, classes)
    brands = brands_by_key(release.brands)
    chosen: list[Selection] = []
    asked: set[int] = set()
    for i in np.argsort(-value, kind="stable"):
        row = rows[i]
        if len(chosen) == budget or value[i] <= 0:
            break
        if not row["may_be_asked"] or row["group"] in asked:
            continue
        asked.add(row["group"])
        order = [labels[present[k]] for k in np.argsort(-chances[i])]
        chosen.append(
            new_selection(
                round_,
                Task.Kind.BRAND,
                row["image"],
                Choice(int(i), SUSPECTED, float(value[i]), len(chosen) + 1, None, None),
                focus_brand=brands.get(row["brand"]),
                priority=-float(place.get(row["brand"], len(labels))),
                proposal=_proposal(order, float(chances[i].max()), release),
            )
        )
    return chosen


def _known(release: Release) -> Iterator[dict[str, Any]]:
    """Training images of a known answer: `look`, `brand` (None: none of the listed), `image`,
    `group`, and whether it `may_be_asked`: nobody has looked at it or is asked to."""
    answered = Consensus.objects.filter(image=OuterRef("image"), kind=Task.Kind.BRAND)
    tasks = Task.objects.filter(image=OuterRef("image"), kind=Task.Kind.BRAND, state__in=BUSY)
    vectors = ImageVector.objects.filter(
        space__model=release.classifier.artifact if release.classifier else "",
        image__split__in=LEARNED_SPLITS,
    ).annotate(
        looked_at=Exists(answered),
        answer=answered.filter(trusted=True).values("answer")[:1],
        answer_brand=answered.filter(trusted=True).values("brand__key")[:1],
        busy=Exists(tasks),
    )
    for vector, image, group, weak, weak_brand, looked_at, answer, brand, busy in (
        vectors.order_by("image_id").values_list(
            "vector", "image_id", "image__group_id", "image__weak_answer", "image__weak_brand__key",
            "looked_at", "answer", "answer_brand", "busy",
        ).iterator()
    ):  # fmt: skip
        said, of = (answer, brand) if looked_at else (weak, weak_brand)
        if said not in (Answer.BRAND, Answer.NONE, Answer.OTHER):
            continue
        yield {
            "look": vector,
            "brand": of if said == Answer.BRAND else None,
            "image": image,
            "group": group,
            "may_be_asked": not looked_at and not busy,
        }


def _proposal(order: list[str | None], score: float, release: Release) -> dict:
    """What speaks against the label, in the form of a scan's proposal."""
    return {
        "candidates": [key for key in order if key is not None][:SHOWN],
        "answer": "brand" if order[0] is not None else "none",
        "brand": next((key for key in order if key is not None), None),
        "score": round(score, 4),
        "boxes": [],
        "model": str(release),
    }
