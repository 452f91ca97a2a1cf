"""Run inside the platform's own settings: a round with one task, and a labeler to answer it.
Prints what a browser needs, as JSON."""

import io
import json
import uuid

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import Max
from django.utils import timezone
from PIL import Image as Picture

from active_learning.models import Round, RoundStep, Selection
from annotation.labelstudio.payload import offered
from annotation.models import Brand, GuidelineVersion, Image, ImageGroup, LabelStudioProject, Task
from tests.demo_rows import make_people


def make() -> None:
    make_people()
    mark = uuid.uuid4().hex
    brand, _ = Brand.objects.get_or_create(
        key="browser-test", defaults={"name_en": "Browser Test", "name_zh": "浏览器测试"}
    )
    if not brand.guidelines.exists():
        GuidelineVersion.objects.create(
            brand=brand, number=1, rules="A tan square.", state="published",
            published_at=timezone.now(),
        )  # fmt: skip
    out = io.BytesIO()
    Picture.new("RGB", (480, 640), "tan").save(out, "PNG")
    file = default_storage.save(f"tests/{mark}.png", ContentFile(out.getvalue()))
    image = Image.objects.create(
        sha256=mark * 2, file=file,
        width=480, height=640, phash=bytes(32), split="pool", source="browser-test",
        group=ImageGroup.objects.create(role="training"),
    )  # fmt: skip
    last = Round.objects.aggregate(last=Max("number"))["last"]
    round_ = Round.objects.create(
        number=(last or 0) + 1, seed=1, state="done", finished_at=timezone.now()
    )
    RoundStep.objects.create(round=round_, name="select", position=1, state="done")
    # Asked before everything that may wait on this platform.
    task = Task.objects.create(
        image=image, kind="brand", strategy="hard_negatives", focus_brand=brand, blind=True,
        priority=1e6, proposal={"candidates": [brand.key], "answer": "none", "score": 0.4},
    )  # fmt: skip
    Selection.objects.create(
        round=round_, task=task, strategy="hard_negatives", score=0.9, rank=1, focus_brand=brand
    )
    print(
        json.dumps(
            {
                "round": round_.number,
                "task": str(task.pk),
                "key": next(iter(offered(task=task, brands={brand.key: brand}))),
                "project": LabelStudioProject.objects.get(kind="brand").remote_id,
            }
        )
    )
