"""The titles of a generated world without its pictures: seconds instead of hours."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.errors import Cancelled
from ml.manifest import Manifest, write_manifest
from ml.models.base import ShouldStop
from ml.synth.brands import Brand, make_brands
from ml.synth.plan import Plan
from ml.synth.render import SPLIT_OF, draw_kind, drawing_stream, source_of
from ml.synth.titles import Title, draw_title
from ml.synth.world import plan_world


@dataclass(frozen=True)
class Titles:
    """A manifest of titles, whose images do not exist, and how each title tells the brand."""

    manifest: Manifest
    truth: dict[str, Title]


def draw_titles(
    *,
    brands: int,
    counts: dict[str, int],
    seed: int,
    out: Path,
    should_stop: ShouldStop = lambda: False,
) -> Titles:
    """Write the manifest and `brands.json` of the world that `synth` would draw from this seed.

    Args:
        counts: pictures by folder.

    Raises:
        Cancelled: `should_stop` became true; nothing is written.
    """
    made = make_brands(count=brands, seed=seed)
    rows, truth = [], {}
    for plan in plan_world(made, counts, seed):
        if should_stop():
            raise Cancelled
        kind = draw_kind(drawing_stream(seed, plan), plan, made)
        title = draw_title(seed=seed, plan=plan, brands=made, kind=kind)
        row = _row(plan, made, title)
        rows.append(row)
        truth[row["sha256"]] = title
    listed = [
        {"key": b.key, "name_en": b.name_en, "name_zh": b.name_zh, "aliases": b.aliases}
        for b in made
        if b.listed
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "brands.json").write_text(json.dumps(listed, ensure_ascii=False), encoding="utf-8")
    return Titles(write_manifest(rows, out), truth)


def _row(plan: Plan, brands: list[Brand], title: Title) -> dict[str, Any]:
    shown = brands[plan.brand] if plan.brand is not None else None
    listed = shown is not None and shown.listed
    image = f"{plan.folder}/{plan.index:06d}.jpg"
    return {
        "image": image,
        "sha256": hashlib.sha256(image.encode()).hexdigest(),
        "title": title.text,
        "answer": "brand" if listed else "other" if shown else "none",
        "brand": shown.key if shown is not None and listed else None,
        "split": SPLIT_OF[plan.folder],
        "group": f"{plan.folder}-{source_of(plan):06d}",
        "source": plan.folder,
    }
