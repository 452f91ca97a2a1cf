"""Brand tasks: hard negatives, low-precision brands, uncertain ones, control and probe."""

import numpy as np

from active_learning.estimates import probe_counts
from active_learning.models import Round, Selection
from active_learning.selection.pool import Scanned, brands_by_key, threshold_of
from active_learning.selection.requests import new_selection, proposal_for
from annotation.models import Task
from ml.acquisition import ScoredPool, embeddings_in, group_codes, select


def brand_tasks(round_: Round, pool: Scanned, budget: int) -> list[Selection]:
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
        embeddings=embeddings_in(pool.table["embedding"]) if pool.has("embedding") else None,
    )
    choices = select(scored, budget=budget, mix=round_.config["mix"], seed=round_.seed)
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
