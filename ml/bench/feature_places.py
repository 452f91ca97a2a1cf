"""Where in generated pictures the features are that tell the brand: marks, which have boxes, and
signatures (patterns, styles), whose box is that of what they change in the drawing."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import ImageChops

from ml.manifest import Manifest
from ml.synth.brands import Brand, make_brands
from ml.synth.plan import Plan
from ml.synth.render import draw_kind, draw_shape, drawing_stream
from ml.synth.scene import OVERSAMPLING, draw_scene
from ml.synth.world import plan_world

# The feature, and what else of the brand there is to see.
KINDS = ("mark alone", "mark beside signature", "signature beside mark", "signature alone")
Corners = tuple[float, ...]  # x1, y1, x2, y2 in pixels of the picture


@dataclass(frozen=True)
class Feature:
    """A feature that can be seen in the picture of a manifest's row; `kind` is one of KINDS."""

    row: dict[str, Any]
    kind: str
    boxes: Sequence[Corners]

    def mask(self, width: int, height: int) -> np.ndarray:
        """bool [height, width]: the pixels whose centre is in a box."""
        y, x = np.mgrid[:height, :width] + 0.5
        return np.any(
            [(x1 <= x) & (x < x2) & (y1 <= y) & (y < y2) for x1, y1, x2, y2 in self.boxes], axis=0
        )


def closed_features(world: Manifest, *, brands: int, size: int, seed: int) -> list[Feature]:
    """The features in the closed pictures of single products, two where a picture shows a mark and
    the signature.

    Args:
        brands, size, seed: as the world was generated with.
    """
    made = make_brands(count=brands, seed=seed)
    rows = world.rows("closed").to_pylist()
    counts = dict.fromkeys(("train", "detection", "variation", "pool", "open", "business"), 0)
    plans = {
        f"{plan.folder}/{plan.index:06d}.jpg": plan
        for plan in plan_world(made, counts | {"closed": len(rows)}, seed)
    }
    return [
        feature
        for row in rows
        if (plan := plans[row["image"]]).variation == "none"
        for feature in _features(row, plan, made, size=size, seed=seed)
    ]


def _features(
    row: dict[str, Any], plan: Plan, brands: list[Brand], *, size: int, seed: int
) -> Iterator[Feature]:
    marks = [tuple(box[side] for side in ("x1", "y1", "x2", "y2")) for box in row["boxes"]]
    signed = plan.look in ("signature", "both")
    if marks:
        yield Feature(row, "mark beside signature" if signed else "mark alone", marks)
    if signed:
        box = _signature_box(plan, brands, size=size, seed=seed)
        yield Feature(row, "signature beside mark" if marks else "signature alone", [box])


def _signature_box(plan: Plan, brands: list[Brand], *, size: int, seed: int) -> Corners:
    """Around all that differs where the same picture is drawn without the signature."""
    stream = drawing_stream(seed, plan)
    kind = draw_kind(stream, plan, brands)
    shape = draw_shape(stream, size)
    bare = replace(plan, look="mark" if plan.look == "both" else "plain")
    with_it, without = (
        draw_scene(deepcopy(stream), one, brands, kind=kind, size=shape).canvas
        for one in (plan, bare)
    )
    changed = ImageChops.difference(with_it, without).getbbox()
    assert changed is not None  # noqa: S101 — a signature that shows nothing
    return tuple(side / OVERSAMPLING for side in changed)
