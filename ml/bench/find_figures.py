"""The finds of a cleaning against wrong labels that are known."""

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.metrics import average_precision_score

from ml.bench.wrong_labels import CAUSES, WrongLabels
from ml.clean.finds import CONTRADICTION, WRONG_NEGATIVE, WRONG_POSITIVE
from ml.models.brand_rows import BACKGROUND


def find_figures(wrong: WrongLabels, finds: pa.Table, judged: pa.Table) -> list[dict[str, Any]]:
    """By kind of find its precision and recall. Of contradictions, recall is of the wrong labels
    in pairs of copies that are answered differently.

    Args:
        finds, judged: as `ml.clean` writes them.
    """
    images = np.array(judged["image"].to_pylist())
    given = np.array(judged["given"].to_pylist())
    score = np.array(judged["score"].to_pylist())
    is_wrong = np.isin(images, list(wrong.cause))
    negative = given == BACKGROUND
    among = {"all": np.ones(len(images), bool), WRONG_POSITIVE: ~negative, WRONG_NEGATIVE: negative}
    rows = []
    for kind, mine in among.items():
        own = finds if kind == "all" else of_kind(finds, kind)
        rows.append(
            {"kind": kind}
            | _shares(wrong, own, images[mine & is_wrong])
            | {
                "chance": float(is_wrong[mine].mean()),
                "average_precision": float(average_precision_score(is_wrong[mine], score[mine])),
            }
        )
    said = dict(zip(images, given, strict=True))
    pairs = [pair for pair in wrong.original.items() if said[pair[0]] != said[pair[1]]]
    in_pairs = np.isin(images, [image for pair in pairs for image in pair])
    named = _shares(wrong, of_kind(finds, CONTRADICTION), images[in_pairs & is_wrong])
    return [*rows, {"kind": CONTRADICTION} | named | {"chance": float(is_wrong.mean())}]


def cause_figures(wrong: WrongLabels, finds: pa.Table) -> list[dict[str, Any]]:
    """By what made a label wrong, how many of these are among the finds."""
    found = set(finds["image"].to_pylist())
    by_cause = {
        cause: [image for image, why in wrong.cause.items() if why == cause] for cause in CAUSES
    }
    return [
        {
            "cause": cause,
            "wrong": len(images),
            "recall": _share(sum(image in found for image in images), len(images)),
        }
        for cause, images in by_cause.items()
    ]


def of_kind(finds: pa.Table, kind: str) -> pa.Table:
    return finds.filter(pa.array([own == kind for own in finds["kind"].to_pylist()], pa.bool_()))


def _shares(wrong: WrongLabels, finds: pa.Table, sought: np.ndarray) -> dict[str, Any]:
    """Images found, those of them with a wrong label, and the share of these for which the truth
    was suggested; and how many of the sought ones are among them."""
    suggested = dict(zip(finds["image"].to_pylist(), finds["suggested"].to_pylist(), strict=True))
    right = [image for image in suggested if image in wrong.cause]
    true = wrong.true.table.select(["image", "brand"]).to_pylist()
    truth = {row["image"]: row["brand"] or BACKGROUND for row in true}
    return {
        "found": len(suggested),
        "wrong": len(sought),
        "precision": _share(len(right), len(suggested)),
        "recall": _share(sum(image in suggested for image in sought), len(sought)),
        "truth_suggested": _share(sum(suggested[i] == truth[i] for i in right), len(right)),
    }


def _share(part: int, of: int) -> float:
    return part / of if of else 0.0
