"""Which characters of a title speak for a brand. The text model is linear, so this is exact: what
the characters say adds up to the odds of the brand against the background."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ml.artifact import Artifact
from ml.explain.target import choose
from ml.models.base import parse_config
from ml.models.calibration import softmax
from ml.models.text.config import Config
from ml.models.text.features import featurise, ngram_spans
from ml.models.text.net import Weights
from ml.models.text.predictor import read_search
from ml.models.text.search import WAYS, AliasSearch, Occurrence
from ml.models.text.spelling import PLAIN, fold, plain


@dataclass(frozen=True)
class NameSpan:
    """title[start:end] is one of a brand's names, as `written`, found in a way of WAYS."""

    start: int
    end: int
    written: str
    brand: str
    way: str


@dataclass(frozen=True)
class TitleReasons:
    """Why a title scores as it does for one brand.

    Attributes:
        label, score: the brand and its calibrated probability.
        log_odds: ln(p(brand) / p(background)) before calibration.
        spans: the names of any brand that stand in the title, in its order, each in its surest way.
        characters: float32 [len(title)]: what each character adds to the log odds.
        rest: what no character says: log_odds − the sum of `characters`.
    """

    label: str
    score: float
    log_odds: float
    spans: list[NameSpan]
    characters: np.ndarray
    rest: float


def explain_titles(
    artifact: Artifact, titles: Sequence[str], label: str | None = None
) -> list[TitleReasons]:
    """The reasons for `label`, or for each title's best brand, in the order of the titles.

    What an n-gram or a name adds is shared equally by the characters it was read from.

    Raises:
        InputError: the model does not know the label.
    """
    config = parse_config(Config, artifact.config)
    search, weights = read_search(artifact), Weights.read(artifact)
    brands = len(artifact.labels) - 1
    features = featurise(titles, search, brands=brands, bits=config.bits, orders=config.orders)
    logits = weights.logits(features)
    scores = softmax(logits, float(artifact.calibration.get("temperature", 1.0)))
    found = []
    for row, title in enumerate(titles):
        k = choose(scores[row], artifact.labels, label)
        occurrences = _surest(search.occurrences(title, fold(title)))
        added = _of_ngrams(
            title, features.grams[row], weights.grams[:, k] - weights.grams[:, -1], config
        )
        for one, says in _of_names(occurrences, search, weights, k):
            added[one.start : one.end] += says / (one.end - one.start)
        log_odds = float(logits[row, k] - logits[row, -1])
        found.append(
            TitleReasons(
                label=artifact.labels[k],
                score=float(scores[row, k]),
                log_odds=log_odds,
                spans=[_span(one, title, search, artifact.labels) for one in occurrences],
                characters=added.astype(np.float32),
                rest=log_odds - float(added.sum()),
            )
        )
    return found


def _of_ngrams(
    title: str, grams: sparse.csr_matrix, says: np.ndarray, config: Config
) -> np.ndarray:
    """float64 [len(title)]: what the n-grams of a title add.

    Args:
        grams: the title's row of `Features.grams`.
        says: [buckets] the weight of each n-gram.
    """
    text = plain(title)
    at = np.array([i for i, c in enumerate(title) for _ in PLAIN[ord(c)]], int)
    of_text = np.zeros(len(text))
    spans = ngram_spans(text, config.orders)
    for (start, end), value in zip(spans, grams.data * says[grams.indices], strict=True):
        if start < end:
            of_text[start:end] += value / (end - start)
    return np.bincount(at, of_text, minlength=len(title))


def _surest(occurrences: Sequence[Occurrence]) -> list[Occurrence]:
    """Of each name the surest occurrence, and of those the first; in the order of the title."""
    kept: dict[int, Occurrence] = {}
    for one in sorted(occurrences, key=lambda one: (one.way, one.start)):
        kept.setdefault(one.name, one)
    return sorted(kept.values(), key=lambda one: (one.start, one.end, one.way))


def _of_names(
    occurrences: Sequence[Occurrence], search: AliasSearch, weights: Weights, k: int
) -> list[tuple[Occurrence, float]]:
    """What each found name adds to the odds of label k; how a brand's names were found counts
    once, for the surest of them."""
    says = weights.names[:, k] - weights.names[:, -1]
    added = [(one, float(says[one.name])) for one in occurrences]
    own = [one for one in occurrences if search.names[one.name].brand == k]
    if own:
        surest = min(own, key=lambda one: one.way)
        added.append((surest, float(weights.ways[surest.way])))
    return added


def _span(one: Occurrence, title: str, search: AliasSearch, labels: Sequence[str]) -> NameSpan:
    brand = labels[search.names[one.name].brand]
    return NameSpan(one.start, one.end, title[one.start : one.end], brand, WAYS[one.way])
