"""The text model on generated titles: its speed, and its recall of named, disguised and absent
brands at 1% of background titles flagged."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.bench.titles import Titles, draw_titles
from ml.evaluate.recall import common_threshold, flagged, hits, mean_recall, recall_by_brand
from ml.evaluate.scored import fitting_half
from ml.models import load
from ml.models.base import ShouldStop, TitlePredictor
from ml.models.text.aliases import read_aliases
from ml.pipeline import TITLES
from ml.progress import Progress
from ml.train import train

FLAG_RATIO = 0.01
FORMS = ("named", "disguised", "absent")
REPEATS = 5
SIZES = {"brands": 40, "train": 8_000, "closed": 8_000, "open": 40_000}
QUICK = {"brands": 8, "train": 900, "closed": 800, "open": 4_000}


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`titles_per_s` (one core, median of seeds) and `recall` by form (mean over seeds of the mean
    over brands), then the same seed by seed."""
    sizes = QUICK if quick else SIZES
    by_seed = []
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            by_seed.append(_measure(seed, sizes, Path(folder), part, should_stop))
    return {
        "titles_per_s": statistics.median(figures["titles_per_s"] for figures in by_seed),
        "recall": {
            form: round(statistics.mean(figures["recall"][form] for figures in by_seed), 4)
            for form in FORMS
        },
        "flag_ratio": FLAG_RATIO,
        "sizes": sizes,
        "seeds": by_seed,
    }


def _measure(
    seed: int, sizes: dict[str, int], folder: Path, progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    counts = {name: sizes.get(name, 0) for name in ("train", "pool", "closed", "open", "business")}
    counts |= dict.fromkeys(("detection", "variation"), sizes["train"] // 3)
    progress.report("draw titles", 0.0)
    titles = draw_titles(
        brands=sizes["brands"], counts=counts, seed=seed, out=folder, should_stop=should_stop
    )
    started = time.perf_counter()
    with progress.part(0.3, 0.8) as part:
        artifact = train(
            kind="text",
            manifest=titles.manifest.path,
            out=folder / "model",
            config={"seed": seed},
            init=None,
            progress=part,
            should_stop=should_stop,
        )
    trained = time.perf_counter() - started
    predictor = load(artifact)
    assert isinstance(predictor, TitlePredictor)  # noqa: S101
    names = read_aliases(titles.manifest, None, predictor.labels[:-1])
    return {
        "seed": seed,
        **_speed(predictor, _Rows(titles, "open").text),
        **_recall(predictor, titles),
        "plain_search": _plain_search(list(names.values()), titles, predictor.labels),
        "train_rows": artifact.metrics["rows"],
        "train_seconds": round(trained, 2),
        "val_nll": artifact.metrics["val_nll"],
        "temperature": artifact.calibration["temperature"],
    }


class _Rows:
    """Rows of some splits, and how their titles tell the brand."""

    def __init__(self, titles: Titles, split: str) -> None:
        self.table = titles.manifest.rows(split)
        self.text: list[str] = self.table["title"].to_pylist()
        self.brand = np.array(self.table["brand"].to_pylist(), dtype=object)
        self.background = np.array([brand is None for brand in self.brand], bool)
        told = [titles.truth[key] for key in self.table["sha256"].to_pylist()]
        self.form = np.array([title.form for title in told])
        self.way = np.array([title.way for title in told])


def _speed(predictor: TitlePredictor, titles: Sequence[str]) -> dict[str, float]:
    """Titles a second of the clock, and of the processor's time: the second is what a core does
    that has nothing else to do. Medians, after one batch to warm up."""
    predictor.predict_titles(titles[:TITLES])
    clock, processor = [], []
    for _ in range(REPEATS):
        began, spent = time.perf_counter(), time.process_time()
        for start in range(0, len(titles), TITLES):
            predictor.predict_titles(titles[start : start + TITLES])
        clock.append(len(titles) / (time.perf_counter() - began))
        processor.append(len(titles) / (time.process_time() - spent))
    return {
        "titles_per_s": round(statistics.median(clock)),
        "titles_per_processor_s": round(statistics.median(processor)),
    }


def _scores(predictor: TitlePredictor, titles: Sequence[str]) -> np.ndarray:
    parts = [
        predictor.predict_titles(titles[start : start + TITLES]).probabilities
        for start in range(0, len(titles), TITLES)
    ]
    return np.concatenate([part for part in parts if part is not None])[:, :-1]


def _recall(predictor: TitlePredictor, titles: Titles) -> dict[str, Any]:
    """Threshold from one half of the background titles of the open set, flag ratio of the other."""
    opened, closed = _Rows(titles, "open"), _Rows(titles, "closed")
    background = opened.background
    fitting = fitting_half(opened.table)
    scores = _scores(predictor, opened.text)
    threshold = common_threshold(scores[background & fitting], FLAG_RATIO)
    limits = np.full(scores.shape[1], threshold)
    flags = np.asarray(flagged(scores, limits))
    rest = background & ~fitting
    place = {label: i for i, label in enumerate(predictor.labels)}
    hit = hits(
        _scores(predictor, closed.text), np.array([place[brand] for brand in closed.brand]), limits
    )
    return {
        "recall": _by(hit, closed, closed.form, FORMS),
        "recall_by_way": _by(hit, closed, closed.way, sorted(set(closed.way.tolist()) - {""})),
        "mean_recall": round(mean_recall(recall_by_brand(hit, closed.brand)), 4),
        "background_flagged": round(float(flags[rest].mean()), 4),
        "fitting_flagged": round(float(flags[rest & (opened.form == "fitting")].mean()), 4),
        "threshold": round(threshold, 4),
        "closed_titles": {form: int((closed.form == form).sum()) for form in FORMS},
        "background_titles": int(rest.sum()),
    }


def _by(
    hit: np.ndarray, rows: _Rows, values: np.ndarray, wanted: Sequence[str]
) -> dict[str, float]:
    """Mean over brands of the recall of rows of each value."""
    return {
        value: round(
            mean_recall(recall_by_brand(hit[values == value], rows.brand[values == value])), 4
        )
        for value in wanted
    }


def _plain_search(
    names: Sequence[Sequence[str]], titles: Titles, labels: Sequence[str]
) -> dict[str, Any]:
    """What looking for the listed names as they are would find, whatever the case."""
    lowered = [[name.lower() for name in of_brand] for of_brand in names]

    def found(rows: _Rows) -> np.ndarray:
        texts = [text.lower() for text in rows.text]
        return np.array([[any(name in text for name in n) for n in lowered] for text in texts])

    opened, closed = _Rows(titles, "open"), _Rows(titles, "closed")
    place = {label: i for i, label in enumerate(labels)}
    hit = found(closed)[np.arange(len(closed.text)), [place[brand] for brand in closed.brand]]
    flags = np.asarray(found(opened).any(axis=1))
    return {
        "recall": _by(hit, closed, closed.form, FORMS),
        "background_flagged": round(float(flags[opened.background].mean()), 4),
    }
