"""Near-duplicate groups: which group a new picture belongs to, and when it may belong to none.

A group has one role for life, training or test. A picture that is near groups of both roles, or of
the other role than its own, is refused. Groups of one role that a picture connects become one.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from django.db import connection, transaction

from annotation import consensus
from annotation.ingest.decode import Picture, Refusal
from annotation.models import Image, ImageGroup
from ml import phash

# One indexed lookup a picture, all pictures in one statement. Sequential scans are off for it: the
# planner takes the comparison of two arrays for cheap, while it costs thousands of steps a row.
NEAR_HASHES = """
WITH wanted AS MATERIALIZED (
    SELECT number, array_agg(band) AS bands FROM unnest(%s::int[], %s::int[]) AS q (number, band)
    GROUP BY number
)
SELECT wanted.number, image.phash, image.group_id, image.role
FROM wanted CROSS JOIN LATERAL (
    SELECT phash, group_id, role FROM annotation_image WHERE phash_bands && wanted.bands
) AS image
"""


@dataclass(frozen=True)
class Candidate:
    """A new picture. `product` is its product's key, if it has one."""

    picture: Picture
    product: Hashable | None


@dataclass
class Grouping:
    """What becomes of the candidates, by position.

    Attributes:
        refused: why a candidate cannot be taken.
        members: candidates of each group to be; `groups[i]` are the existing groups they join, at
            times several, at times none.
    """

    refused: dict[int, Refusal] = field(default_factory=dict)
    members: list[list[int]] = field(default_factory=list)
    groups: list[set[int]] = field(default_factory=list)


def group_candidates(
    *, candidates: Sequence[Candidate], role: str, product_groups: dict[Hashable, tuple[int, str]]
) -> Grouping:
    """Find every candidate's group. Must run under the ingest lock, so that no other picture comes
    in between this and the writing.

    Args:
        role: of all candidates: training or test.
        product_groups: group and role of each product that has images already.
    """
    result = Grouping()
    joins: list[set[int]] = []
    near = near_groups([candidate.picture for candidate in candidates])
    for i, candidate in enumerate(candidates):
        found = near[i]
        same_product = product_groups.get(candidate.product)
        if any(other != role for _, other in found):
            result.refused[i] = Refusal(f"near-duplicate of a {_other(role)} image")
        elif same_product is not None and same_product[1] != role:
            result.refused[i] = Refusal(f"of one product with a {_other(role)} image")
        joins.append({group for group, _ in found} | ({same_product[0]} if same_product else set()))
    taken = [i for i in range(len(candidates)) if i not in result.refused]
    unions = _Unions()
    for i in taken:
        unions.join(("new", i), ("new", i))
        for group in joins[i]:
            unions.join(("new", i), ("group", group))
        if candidates[i].product is not None:
            unions.join(("new", i), ("product", candidates[i].product))
    for i, j in near_pairs([candidates[i].picture for i in taken]):
        unions.join(("new", taken[i]), ("new", taken[j]))
    for nodes in unions.components():
        result.members.append(sorted(i for kind, i in nodes if kind == "new"))
        result.groups.append({group for kind, group in nodes if kind == "group"})
    return result


def near_groups(pictures: Sequence[Picture]) -> list[set[tuple[int, str]]]:
    """For each picture the (group, role) of all stored images within RADIUS of it."""
    numbers = [i for i, picture in enumerate(pictures) for _ in picture.bands]
    keys = [key for picture in pictures for key in picture.bands]
    found: list[set[tuple[int, str]]] = [set() for _ in pictures]
    if not keys:
        return found
    with transaction.atomic(), connection.cursor() as cursor:
        # Fresh rows wait in a list that every lookup would read from end to end.
        cursor.execute("SELECT gin_clean_pending_list('image_phash_bands')")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(NEAR_HASHES, [numbers, keys])
        hits = cursor.fetchall()
        cursor.execute("SET LOCAL enable_seqscan = on")
    if not hits:
        return found
    wanted = phash.as_array([picture.phash for picture in pictures])
    stored = phash.as_array([bytes(phash) for _, phash, _, _ in hits])
    near = phash.distances(wanted[[number for number, *_ in hits]], stored) <= phash.RADIUS
    for hit in np.nonzero(near)[0]:
        number, _, group, role = hits[hit]
        found[number].add((group, role))
    return found


def near_pairs(pictures: Sequence[Picture]) -> list[tuple[int, int]]:
    """Pairs of these pictures within RADIUS; plain surfaces are near nothing."""
    places = [i for i, picture in enumerate(pictures) if picture.bands]
    if len(places) < 2:
        return []
    hashes = phash.as_array([pictures[i].phash for i in places])
    return [(places[i], places[j]) for i in range(len(places)) for j in phash.near_after(hashes, i)]


def settle_groups(*, grouping: Grouping, role: str) -> dict[int, int]:
    """Make the new groups and merge the connected ones; returns each candidate's group."""
    fresh = iter(
        ImageGroup.objects.bulk_create(
            ImageGroup(role=role) for groups in grouping.groups if not groups
        )
    )
    group_of = {}
    for members, groups in zip(grouping.members, grouping.groups, strict=True):
        group = merge_groups(group_ids=groups) if groups else next(fresh).pk
        group_of.update(dict.fromkeys(members, group))
    return group_of


def merge_groups(*, group_ids: Iterable[int]) -> int:
    """Put the images of groups of one role into the oldest of them; returns it."""
    keep, *others = sorted(group_ids)
    if others:
        Image.objects.filter(group_id__in=others).update(group_id=keep)
        ImageGroup.objects.filter(pk__in=others).delete()
    return keep


def keep_together(*, group_ids: Iterable[int]) -> None:
    """Put all train and val images of a group on one side: where both sides meet in a group, the
    hash of the group decides, as it does for images that leave the pool."""
    sides = defaultdict(set)
    labelled = Image.objects.filter(group_id__in=set(group_ids), split__in=("train", "val"))
    for group, split in labelled.order_by().values_list("group_id", "split").distinct():
        sides[group].add(split)
    for group, splits in sides.items():
        if len(splits) > 1:
            side = Image.Split.VAL if consensus.is_val(group) else Image.Split.TRAIN
            Image.objects.filter(group_id=group, split__in=("train", "val")).update(split=side)


def _other(role: str) -> str:
    return "test" if role == "training" else "training"


class _Unions:
    """Disjoint sets of hashable nodes, made by joining."""

    def __init__(self) -> None:
        self._parent: dict = {}

    def find(self, node: Hashable) -> Hashable:
        self._parent.setdefault(node, node)
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def join(self, one: Hashable, other: Hashable) -> None:
        self._parent[self.find(one)] = self.find(other)

    def components(self) -> list[list]:
        sets = defaultdict(list)
        for node in self._parent:
            sets[self.find(node)].append(node)
        return list(sets.values())
