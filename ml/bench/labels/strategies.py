"""Who chooses: our mix, its threshold strategy alone, and what others choose by, of scikit-activeml
or as it does."""

from collections.abc import Mapping

import numpy as np
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import CoreSet, UncertaintySampling
from skactiveml.utils import MISSING_LABEL

from ml.acquisition import DEFAULT_MIX, KnownPositives, ScoredPool, select
from ml.bench.labels.badge import badge
from ml.bench.labels.campaign import State, Strategy

TOP = 5


def by_random(state: State, batch: int) -> np.ndarray:
    return state.rng.choice(len(state.looks), batch, replace=False)


def ours(mix: Mapping[str, float]) -> Strategy:
    """`ml.acquisition.select`, with what a scan of the pool would hold."""

    def choose(state: State, batch: int) -> np.ndarray:
        pool = scored_pool(state)
        chosen = select(pool, budget=batch, mix=mix, seed=_seed(state))
        for choice in chosen:
            if choice.strategy == "probe" and choice.focus_brand is not None:
                state.probed[choice.index] = choice.focus_brand
        return np.array([choice.index for choice in chosen], int)

    return choose


def scored_pool(state: State) -> ScoredPool:
    scores = state.probabilities[:, :-1]
    order = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    shown = state.known.answers < state.brands
    return ScoredPool(
        brands=order.astype(np.int16),
        scores=np.take_along_axis(scores, order, axis=1),
        background=state.probabilities[:, -1],
        groups=np.arange(len(scores)),
        thresholds=np.full(state.brands, state.threshold),
        probe_hits=state.probe_hits,
        probe_draws=state.probe_draws,
        embeddings=lambda items: state.looks[items],
        known=KnownPositives(state.known.looks[shown], state.known.answers[shown]),
    )


def by_uncertainty(method: str) -> Strategy:
    def choose(state: State, batch: int) -> np.ndarray:
        query = UncertaintySampling(method=method, random_state=_seed(state))
        return _queried(query, state, batch, clf=_fitted(state), fit_clf=False)

    return choose


def by_coreset(state: State, batch: int) -> np.ndarray:
    return _queried(CoreSet(random_state=_seed(state)), state, batch)


def by_badge(state: State, batch: int) -> np.ndarray:
    return badge(state.looks, state.probabilities, batch, rng=state.rng)


def _queried(query: object, state: State, batch: int, **more: object) -> np.ndarray:
    """What a query of scikit-activeml chooses; it wants the known and the unknown in one array."""
    known = len(state.known)
    looks = np.concatenate([state.known.looks, state.looks])
    answers = np.concatenate([state.known.answers, np.full(len(state.looks), MISSING_LABEL)])
    chosen = query.query(X=looks, y=answers, batch_size=batch, **more)  # type: ignore[attr-defined]
    return np.asarray(chosen) - known


def _fitted(state: State) -> SklearnClassifier:
    model = SklearnClassifier(state.head, classes=state.head.classes_)
    return model.fit(state.known.looks, state.known.answers)


def _seed(state: State) -> int:
    return int(state.rng.integers(2**31))


STRATEGIES: dict[str, Strategy] = {
    "mix": ours(DEFAULT_MIX),
    "random": by_random,
    "entropy": by_uncertainty("entropy"),
    "margin": by_uncertainty("margin_sampling"),
    "coreset": by_coreset,
    "badge": by_badge,
    "direct": ours({"threshold": 1.0}),
}
