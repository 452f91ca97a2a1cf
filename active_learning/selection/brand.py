"""Brand tasks: a round's mix of strategies on what the scan says of the pool."""

from collections.abc import Mapping

import numpy as np
from django.db.models import Count

from active_learning.estimates import probe_counts
from active_learning.models import Round, Selection
from active_learning.selection.pool import Scanned, brands_by_key, threshold_of
from active_learning.selection.requests import new_selection, proposal_for
from annotation.models import Consensus, ImageVector, Task
from annotation.models.image import TRAINING_SPLITS
from annotation.vectors import vectors_of
from ml.acquisition import (
    Embeddings,
    KnownPositives,
    ScoredPool,
    TopScores,
    embeddings_in,
    group_codes,
    select,
    top_boxes,
    top_brands,
)

RARE = 50  # trusted images; of a brand with more the classifier needs no help to find others


def brand_tasks(
    round_: Round, pool: Scanned, budget: int, *, mix: Mapping[str, float]
) -> list[Selection]:
    """Tasks on the pool by the strategies of `mix` (shares of the budget); none where no classifier
    has scanned it."""
    if not pool.has("classifier_none"):
        return []
    hits, draws = probe_counts()
    focus = [pool.brands.index(key) for key in round_.config["focus"] if key in pool.brands]
    scored = ScoredPool(
        brands=pool.top,
        scores=pool.scores,
        background=pool.column("classifier_none"),
        groups=group_codes(pool.table["group"]),
        thresholds=np.array([threshold_of(pool.release, "classifier", key) for key in pool.brands]),
        probe_hits=np.array([hits[key] for key in pool.brands]),
        probe_draws=np.array([draws[key] for key in pool.brands]),
        focus=tuple(focus),
        embeddings=_embeddings(pool),
        others=_others(pool) if mix.get("disagreement") else {},
        known=_rare_positives(pool) if mix.get("neighbours") or mix.get("typical") else None,
    )
    limit = round_.config.get("most_per_brand")
    most = None if limit is None else np.full(len(pool.brands), limit)
    choices = select(scored, budget=budget, mix=mix, seed=round_.seed, most=most)
    brands = brands_by_key(pool.brands)
    selections = []
    for choice in choices:
        # A batch keeps its brand, so that a labeler's keys keep their meaning for a while. Random
        # draws go where their likeliest brand is asked: nothing tells them from the rest.
        likeliest = int(scored.best_brand[choice.index])
        place = likeliest if choice.focus_brand is None else choice.focus_brand
        focus_key = None if choice.focus_brand is None else pool.brands[choice.focus_brand]
        selections.append(
            new_selection(
                round_,
                Task.Kind.BRAND,
                int(pool.image_ids[choice.index]),
                choice,
                focus_brand=brands.get(focus_key) if focus_key else None,
                priority=-float(place),
                proposal=proposal_for(pool, choice.index),
            )
        )
    return selections


def _embeddings(pool: Scanned) -> Embeddings | None:
    """As the database holds those of known images, so that both can be compared."""
    if not pool.has("embedding"):
        return None
    of = embeddings_in(pool.table["embedding"])
    return lambda items: vectors_of(of(items))


def _others(pool: Scanned) -> dict[str, TopScores]:
    others = {}
    if pool.has("detector_boxes"):
        others["detector"] = top_boxes(pool.table["detector_boxes"], pool.brands)
    if pool.has("text_brands"):
        names, scores = pool.table["text_brands"], pool.table["text_scores"]
        others["text"] = TopScores(*top_brands(names, scores, pool.brands))
    return others


def _rare_positives(pool: Scanned) -> KnownPositives | None:
    """Images with a trusted answer for a brand of which there are few, as far as the release's
    classifier has embedded them; None where there are none."""
    classifier = pool.release.classifier
    if classifier is None:
        return None
    trusted = Consensus.objects.filter(
        kind=Task.Kind.BRAND, answer="brand", trusted=True, brand__key__in=pool.brands,
        image__split__in=TRAINING_SPLITS,
    )  # fmt: skip
    counts = trusted.values_list("brand__key").annotate(images=Count("pk")).order_by()
    rare = [key for key, images in counts if images <= RARE]
    rows = list(
        ImageVector.objects.filter(
            space__model=classifier.artifact,
            image__consensus__in=trusted.filter(brand__key__in=rare),
        ).values_list("vector", "image__consensus__brand__key")
    )
    if not rows:
        return None
    return KnownPositives(
        looks=np.array([vector for vector, _ in rows], np.float32),
        brands=np.array([pool.brands.index(key) for _, key in rows], int),
    )
