"""Enrol brands: keep the embeddings of a few of their crops beside a detector that finds logos."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save
from sklearn.linear_model import LogisticRegression

from ml.artifact import META, Artifact, code_version, read_artifact, write_artifact
from ml.enrolment.crops import boxed_rows, crops
from ml.errors import Cancelled, InputError
from ml.files import write_atomically
from ml.manifest import Manifest, read_manifest
from ml.models.base import ShouldStop
from ml.models.classifier import load as load_embedder
from ml.models.enrolled import CROPS, EMBEDDER, FINDER, embeddings, nearest
from ml.models.net_predictor import NetPredictor
from ml.progress import Progress

# Crops of a brand beyond those that stand for it, when chances are fitted.
ASKED = 20


@dataclass(frozen=True)
class _Cut:
    """What was cut out of the boxed rows: by brand its crops, and parts that show no logo."""

    of: dict[str, list[Image.Image]]
    empty: list[Image.Image]


@dataclass(frozen=True)
class _Others:
    """Crops of brands that are not enrolled, and of no brand: some stand for what they are, the
    others are asked about. `standing_for` and `truth` are numbers of brands, −1 of none."""

    standing: list[Image.Image]
    standing_for: np.ndarray
    asking: list[Image.Image]
    truth: np.ndarray

    @classmethod
    def of(cls, cut: _Cut, labels: Sequence[str], *, shots: int) -> "_Others":
        mine = [some for name, some in cut.of.items() if name not in labels]
        standing, asking = [some[:shots] for some in mine], [some[shots:] for some in mine]
        half = len(cut.empty) // 2
        # Without a brand to ask about, what shows none would say nothing.
        asked_empty = cut.empty[half:] if any(asking) else []
        return cls(
            [*_flat(standing), *cut.empty[:half]],
            np.concatenate([_numbers(standing), np.full(half, -1)]),
            [*_flat(asking), *asked_empty],
            np.concatenate([_numbers(asking), np.full(len(asked_empty), -1)]),
        )


def enrol(
    *,
    finder: Path,
    embedder: Path,
    manifest: Path,
    brands: Sequence[str],
    shots: int,
    out: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> Artifact:
    """Write a detector of `brands` to `out`, from the first `shots` boxes of each.

    As many crops of each of the manifest's other brands, and parts of pictures that show no logo,
    stand for what is not to be found. How a cosine becomes a chance is fitted on further ones.

    Args:
        finder, embedder: a class-agnostic detector; a classifier, best of crops (`write_crops`).

    Raises:
        InputError: the finder tells brands apart, a brand has no box, the other brands have no
            more boxes than stand for them, or `out` is not empty.
        Cancelled: `should_stop` became true; nothing is written.
    """
    found = read_artifact(finder, kind="detector")
    if not found.config.get("class_agnostic"):
        raise InputError(f"{finder}: not a class-agnostic detector")
    if shots < 1 or not brands:
        raise InputError("an enrolment needs at least one brand, and one crop of each")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: not an empty folder")
    known = load_embedder(read_artifact(embedder, kind="classifier"))
    data = read_manifest(manifest)
    labels = sorted(set(brands))
    cut = _cut(data, labels, shots=shots, progress=progress, should_stop=should_stop)
    shown = [cut.of[name][:shots] for name in labels]
    others = _Others.of(cut, labels, shots=shots)
    vectors, elsewhere = (embeddings(known, some) for some in (_flat(shown), others.standing))
    progress.report("fit chances", 0.8)
    slope, offset = _fit(*_asked(known, others, elsewhere), manifest)
    out.mkdir(parents=True, exist_ok=True)
    for name, directory in ((FINDER, finder), (EMBEDDER, embedder)):
        _copy(read_artifact(directory), out / name)
    enrolled = {
        "embeddings": np.concatenate([vectors, elsewhere]).astype(np.float32),
        "brands": np.concatenate([_numbers(shown), np.full(len(elsewhere), -1)]),
    }
    write_atomically(out / CROPS, save(enrolled))
    files = [CROPS, *(f"{name}/{META}" for name in (FINDER, EMBEDDER))]
    return write_artifact(
        Artifact(
            kind="detector",
            labels=labels,
            config={"class_agnostic": True, "shots": shots},
            manifest_sha256=data.sha256,
            code_version=code_version(),
            metrics={"crops": {name: len(some) for name, some in zip(labels, shown, strict=True)}},
            calibration={"slope": slope, "offset": offset},
            files=dict.fromkeys(files, ""),
        ),
        out,
    )


def _cut(
    data: Manifest,
    labels: Sequence[str],
    *,
    shots: int,
    progress: Progress,
    should_stop: ShouldStop,
) -> _Cut:
    """Every brand's first crops, as many as are used."""
    table = boxed_rows(data)
    of: dict[str, list[Image.Image]] = {}
    empty: list[Image.Image] = []
    for i, (brand, _, picture) in enumerate(crops(data, table)):
        if should_stop():
            raise Cancelled
        mine = empty if brand is None else of.setdefault(brand, [])
        if len(mine) < shots + ASKED:
            mine.append(picture)
        if i % 100 == 0:
            progress.report("cut out", min(0.8, 0.8 * i / len(table)))
    lacking = [name for name in labels if name not in of]
    if lacking:
        raise InputError(f"{data.path}: no box of {lacking[0]!r} in split train")
    return _Cut(of, empty)


def _asked(
    embedder: NetPredictor, others: _Others, elsewhere: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of the crops that are asked about and resemble a brand most: the cosine, and whether it is
    their own."""
    said, cosines = nearest(embeddings(embedder, others.asking), elsewhere, others.standing_for)
    told = said >= 0
    return cosines[told], (said == others.truth)[told]


def _fit(cosines: np.ndarray, right: np.ndarray, manifest: Path) -> tuple[float, float]:
    """Slope and offset of the logit of being right, by the cosine (Platt 1999, with his targets,
    which keep it finite where all are right)."""
    if not len(right):
        raise InputError(
            f"{manifest}: too few boxes of other brands to fit chances on: a brand with more boxes "
            "than are enrolled is needed"
        )
    positives = int(right.sum())
    negatives = len(right) - positives
    target = np.where(right, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    model = LogisticRegression(C=1e3).fit(
        np.tile(cosines, 2)[:, None],
        np.repeat([1, 0], len(right)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _flat(parts: Sequence[Sequence[Image.Image]]) -> list[Image.Image]:
    return [crop for part in parts for crop in part]


def _numbers(parts: Sequence[Sequence[Image.Image]]) -> np.ndarray:
    """The number of the part of each of the crops of `_flat`."""
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def _copy(artifact: Artifact, out: Path) -> None:
    """A whole artifact, its description last."""
    out.mkdir()
    for name in [*artifact.files, META]:
        shutil.copyfile(artifact.path(name), out / name)
