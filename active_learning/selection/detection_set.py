"""The detection set drawn from the classification set: box tasks spread over brands and sources,
outside of rounds, so that the detector is not taught by its own misses alone."""

import uuid
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from django.utils.translation import gettext as _

from active_learning.selection.boxes import box_proposal, unboxed
from active_learning.selection.requests import BLIND_SHARE
from annotation.models import Consensus, Task
from annotation.tasking import create_tasks
from ml.acquisition.precision import equal_shares
from ml.errors import InputError

DETECTION_SET = "detection_set"  # strategy of the tasks
MOST = 2_000  # images at a time
NAMESPACE = uuid.UUID("c2c1e0f5-0a64-4f6e-9d1f-6a52f1f0b8aa")
Strata = dict[int, dict[str, list[int]]]  # ids by brand and source


def propose(*, count: int, seed: int) -> list[Consensus]:
    """Up to `count` answers whose image is to be boxed: as many of each brand, and within a brand
    of each source, at random by `seed`; what one has too few of goes to the others. One image of a
    near-duplicate group.

    Raises:
        InputError: the number cannot be.
    """
    if not 1 <= count <= MOST:
        raise InputError(_("Between 1 and %(most)d images.") % {"most": MOST})
    rng = np.random.default_rng(seed)
    strata = _strata(rng)
    brands = sorted(strata)
    available = [sum(len(ids) for ids in strata[brand].values()) for brand in brands]
    chosen: list[int] = []
    for brand, share in zip(brands, equal_shares(np.array(available), count, rng), strict=True):
        sources = sorted(strata[brand])
        sizes = np.array([len(strata[brand][source]) for source in sources])
        for source, number in zip(sources, equal_shares(sizes, int(share), rng), strict=True):
            chosen += strata[brand][source][:number]
    return list(unboxed().filter(pk__in=chosen).select_related("image"))


def _strata(rng: np.random.Generator) -> Strata:
    """Each stratum in a random order, one of a group."""
    rows = list(unboxed().values_list("pk", "brand", "image__source", "image__group"))
    strata: Strata = defaultdict(lambda: defaultdict(list))
    groups: set[int] = set()
    for place in rng.permutation(len(rows)):
        pk, brand, source, group = rows[place]
        if group not in groups:
            groups.add(group)
            strata[brand][source].append(pk)
    return strata


def ask(*, proposed: Sequence[Consensus], seed: int) -> int:
    """Put what was proposed before labelers; again: nothing new. Returns how many were asked."""
    tasks = [
        Task(
            id=uuid.uuid5(NAMESPACE, f"{DETECTION_SET}/{consensus.image_id}"),
            image_id=consensus.image_id,
            kind=Task.Kind.BOXES,
            strategy=DETECTION_SET,
            focus_brand=consensus.brand,
            blind=bool(np.random.default_rng([seed, consensus.image_id]).random() < BLIND_SHARE),
            proposal=box_proposal(consensus),
        )
        for consensus in proposed
    ]
    return create_tasks(tasks=tasks)


def draw(*, count: int, seed: int) -> int:
    """Propose and ask. Returns how many were asked.

    Raises:
        InputError: the number cannot be, or no image waits to be boxed.
    """
    proposed = propose(count=count, seed=seed)
    if not proposed:
        raise InputError(_("No image with a trusted brand answer waits to be boxed."))
    return ask(proposed=proposed, seed=seed)
