"""From a choice to an unsaved Selection with its unsaved Task."""

import uuid

import numpy as np

from active_learning.models import Round, Selection
from active_learning.selection.pool import Scanned
from annotation.models import Brand, Task
from ml.acquisition import Choice
from ml.acquisition.pool import NO_BRAND

PROPOSED_BOXES = 3
LEAST_SCORE = 0.1
NAMESPACE = uuid.UUID("5f0d3b0e-6b1f-4f59-9d4c-6a0b5c1f7a51")
# Shown without the model's proposal: only blind answers may grade a model or vote beside it.
ALWAYS_BLIND = {"random_control", "probe"}
BLIND_SHARE = 0.1


def proposal_for(pool: Scanned, row: int) -> dict:
    """What the champion thinks of an image, for the task's keys and its pre-annotation; a champion
    without a classifier thinks of no answer."""
    candidates = [pool.brands[place] for place in pool.top[row] if place != NO_BRAND]
    score, answer = float(pool.scores[row, 0]) if candidates else 0.0, ""
    if pool.has("classifier_none"):
        answer = "none" if pool.column("classifier_none")[row] >= score else "brand"
    proposal = {
        "candidates": candidates,
        "answer": answer,
        "brand": candidates[0] if candidates else None,
        "score": round(score, 4),
        "boxes": best_boxes(pool.boxes(row)),
        "model": str(pool.release),
    }
    if pool.has("variation"):
        chances = pool.column("variation")[row]
        proposal["variation"] = max(chances, key=chances.get)
    return proposal


def best_boxes(boxes: list[dict]) -> list[dict]:
    """The few that a person should have to look at; a weak detector finds dozens."""
    sure = [box for box in boxes if box["score"] >= LEAST_SCORE]
    return sorted(sure, key=lambda box: -box["score"])[:PROPOSED_BOXES]


def is_blind(round_: Round, strategy: str, image_id: int) -> bool:
    """Whether the proposal is kept back: always for the random draws, and for a tenth of the
    rest, by seed and image."""
    draw = np.random.default_rng([round_.seed, image_id]).random()
    return strategy in ALWAYS_BLIND or bool(draw < BLIND_SHARE)


def new_selection(
    round_: Round,
    kind: str,
    image_id: int,
    choice: Choice,
    *,
    focus_brand: Brand | None,
    proposal: dict,
    priority: float = 0.0,
) -> Selection:
    task = Task(
        id=uuid.uuid5(NAMESPACE, f"{round_.pk}/{kind}/{image_id}"),
        image_id=image_id,
        kind=kind,
        strategy=choice.strategy,
        focus_brand=focus_brand,
        blind=is_blind(round_, choice.strategy, image_id),
        proposal=proposal,
        priority=priority,
    )
    return Selection(
        round=round_,
        task=task,
        strategy=choice.strategy,
        score=choice.score,
        rank=choice.rank,
        focus_brand=focus_brand,
        propensity=choice.propensity,
    )
