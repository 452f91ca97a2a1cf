"""Run inside the platform's own settings: three brand tasks waiting before everything else, and
people of every role. Prints what a browser needs, as JSON."""

import io
import json
import uuid

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image as Picture

from annotation.models import Brand, Image, ImageGroup, LabelStudioProject, Task
from tests.demo_rows import make_people


def make(count: int = 3) -> None:
    make_people()
    brand, _ = Brand.objects.get_or_create(
        key="gateway-test", defaults={"name_en": "Gateway Test", "name_zh": "网关测试"}
    )
    tasks = [_task(brand, position) for position in range(count)]
    project = LabelStudioProject.objects.get(kind="brand").remote_id
    print(json.dumps({"tasks": [str(task.pk) for task in tasks], "project": project}))


def _task(brand: Brand, position: int) -> Task:
    mark = uuid.uuid4().hex
    out = io.BytesIO()
    Picture.new("RGB", (480, 640), ["tan", "teal", "plum"][position % 3]).save(out, "PNG")
    file = default_storage.save(f"tests/{mark}.png", ContentFile(out.getvalue()))
    image = Image.objects.create(
        sha256=mark * 2, file=file,
        width=480, height=640, phash=bytes(32), split="pool", source="gateway-test",
        group=ImageGroup.objects.create(role="training"),
    )  # fmt: skip
    return Task.objects.create(
        image=image, kind="brand", strategy="hard_negatives", focus_brand=brand, blind=True,
        priority=2e6 - position, proposal={"candidates": [brand.key], "answer": "none"},
    )  # fmt: skip
