"""What operations staff would have written about each brand: rules, and each recognition point
with an example picture and its red boxes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ml.files import write_atomically
from ml.synth.brands import PATTERNS, Brand
from ml.synth.geometry import bounds
from ml.synth.marks import Mark, logo, wordmark
from ml.synth.plan import Plan
from ml.synth.subject import Box, draw_subject, make_pose, make_subject, outline

EXAMPLE_SIZE = 320
_SIGNATURES = {
    "monogram": "the symbol small, repeated in rows over the whole product",
    "tartan": "a check of broad bands crossed by two narrow ones",
    "bands": "slanted double bands, a broad one beside a narrow one",
    "dots": "rows of dots with a second colour inside",
    "zigzag": "rows of zigzag in two colours",
    "argyle": "rows of standing diamonds in two colours",
    "stripes": "slanted stripes on the side, the outer ones in the second colour",
    "teeth": "a toothed hem below a thin line",
    "split": "two tones along a diagonal with piping between",
}


def write_brands(brands: list[Brand], *, directory: Path, seed: int) -> None:
    """Write `brands.json` and the example pictures it names."""
    (directory / "guidelines").mkdir()
    described = [
        _describe(brand, index=i, brands=brands, directory=directory, seed=seed)
        for i, brand in enumerate(brands)
        if brand.listed
    ]
    write_atomically(directory / "brands.json", json.dumps(described, ensure_ascii=False, indent=1))


def _describe(
    brand: Brand, *, index: int, brands: list[Brand], directory: Path, seed: int
) -> dict[str, Any]:
    rng = np.random.default_rng([seed, 5, index])
    points: list[tuple[str, str, bool, Mark | None]] = [
        ("logo", f"Logo {i + 1} of {brand.name_en}, in any colour", True, logo(brand, i))
        for i in range(len(brand.logos))
    ]
    name = wordmark(brand.name_en, brand.lettering)
    points.append(("wordmark", f"The name {brand.name_en} ({brand.name_zh})", True, name))
    kind = "pattern" if brand.signature in PATTERNS else "style"
    points.append((kind, _SIGNATURES[brand.signature].capitalize(), False, None))
    products = [kind for kind in brand.kinds if kind != "watch"]  # no room for a pattern
    features = []
    for position, (kind, text, registered, mark) in enumerate(points):
        examples = []
        for number in range(2):
            file = f"guidelines/{brand.key}-{position + 1}-{kind}-{number + 1}.jpg"
            regions = _example(
                rng, index, brands, mark, product=products[(position + 2 * number) % len(products)],
                path=directory / file,
            )  # fmt: skip
            examples.append({"file": file, "regions": regions})
        features.append(
            {"kind": kind, "text": text, "registered": registered, "examples": examples}
        )
    return {
        "key": brand.key,
        "name_en": brand.name_en,
        "name_zh": brand.name_zh,
        "aliases": list(brand.aliases),
        "protected": brand.protected,
        "guideline": {"rules": _rules(brand), "features": features},
    }


def _rules(brand: Brand) -> str:
    point = "pattern" if brand.is_pattern else "style"
    return (
        f"**{brand.name_en} · {brand.name_zh}**\n\n"
        f"Answer *{brand.name_en}* when a picture shows one of these:\n\n"
        "- the logo or the name, in any colour, also when a part is smeared or covered;\n"
        f"- the {point} below, even without a logo ({_SIGNATURES[brand.signature]});\n"
        "- an imitation made to be taken for them: a letter changed, the symbol bent "
        "(choose the risk *knock-off*).\n\n"
        "Not this brand:\n\n"
        "- common styles: plain stripes, checks, dots or camouflage (mass style);\n"
        "- a symbol with another number of points, bars or leaves, even in the same colours.\n\n"
        "Box only registered marks and names, each as tight as it goes; never the "
        f"{point}. A mark you cannot recognise without the title does not count.\n"
    )


def _example(
    rng: np.random.Generator,
    index: int,
    brands: list[Brand],
    mark: Mark | None,
    *,
    product: str,
    path: Path,
) -> list[dict[str, float]]:
    """Draw the feature alone, large, before a studio wall; return its red boxes."""
    plan = Plan(folder="train", index=0, brand=index, look="signature" if mark is None else "mark")
    subject = make_subject(rng, plan, brands, kind=product)
    if mark is not None:
        subject = replace(subject, marks=((mark, subject.marks[0][1]),))
    side = EXAMPLE_SIZE * 2
    canvas = Image.new("RGB", (side, side), (243, 243, 241))
    pose = make_pose(
        rng,
        centre=(side / 2, side / 2),
        extent=side * 0.86,
        tilt=3.0,
        mark_width=(0.3 * side, 0.4 * side),
    )
    boxes = draw_subject(canvas, Image.new("L", canvas.size), rng, subject, pose)
    if mark is None:
        boxes = [bounds(outline(product, pose.frame))]
    canvas.reduce(2).save(path, "JPEG", quality=92)
    return [_region(box) for box in boxes]


def _region(box: Box) -> dict[str, float]:
    clipped = (min(max(value / 2, 0.0), float(EXAMPLE_SIZE)) for value in box)
    return dict(zip(("x1", "y1", "x2", "y2"), (round(v, 1) for v in clipped), strict=True))
