"""Questions with all that stands beside them: pictures, guidelines shown, others' answers."""

import io
from datetime import timedelta

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image as Picture
from PIL import ImageDraw

from annotation.labels import Content, record_label
from annotation.models import Brand, Feature, FeatureExample, GuidelineVersion, Question
from tests.factories import ImageFactory, TaskFactory

ASKED = ("Stripes without a name: is this a mass style? 只有条纹没有字母,算通用款吗?",
         "The mark is half covered by the hand.", "Is the sole theirs?")  # fmt: skip


def make_picture(colour: str = "tan") -> str:
    """A stored picture, 480 × 640; its name."""
    picture = Picture.new("RGB", (480, 640), colour)
    draw = ImageDraw.Draw(picture)
    for x in (120, 200, 280):
        draw.polygon([(x, 240), (x + 40, 240), (x + 100, 420), (x + 60, 420)], fill="white")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return default_storage.save(f"tests/{colour}.png", ContentFile(out.getvalue()))


def make_brand(key: str, english: str, chinese: str) -> GuidelineVersion:
    """A brand with a published guideline of one red-boxed example."""
    brand = Brand.objects.create(key=key, name_en=english, name_zh=chinese)
    version = GuidelineVersion.objects.create(
        brand=brand, number=1, rules="Three **slanted** stripes.\n\n- two are a mass style"
    )
    feature = Feature.objects.create(version=version, kind="pattern", text="on the side 侧面条纹")
    FeatureExample.objects.create(
        feature=feature, file=make_picture("navy"), width=480, height=640,
        regions=[{"x1": 110, "y1": 230, "x2": 390, "y2": 430}],
    )  # fmt: skip
    GuidelineVersion.objects.filter(pk=version.pk).update(
        state="published", published_at=timezone.now()
    )
    return version


def make_questions(people: dict[str, User]) -> list[Question]:
    """Three open questions of the labeler, an hour apart, the oldest first."""
    shown = [
        make_brand("northwind", "Northwind", "北风"),
        make_brand("kestrel", "Kestrel", "红隼"),
    ]
    Brand.objects.create(key="lumen", name_en="Lumen & Co", name_zh="流明")
    second, _ = User.objects.get_or_create(username="second-labeler")
    questions = []
    for number, text in enumerate(ASKED):
        task = TaskFactory(
            image=ImageFactory(file=make_picture(("tan", "olive", "teal")[number]),
                               width=480, height=640),
            state="pushed", remote_id=9000 + number, focus_brand=shown[0].brand,
            guideline=shown[0], guidelines_shown=[version.pk for version in shown],
            proposal={"answer": "brand", "brand": "northwind", "score": 0.62,
                      "candidates": ["northwind", "kestrel"]},
        )  # fmt: skip
        label = record_label(
            image=task.image, kind="brand", content=Content(answer="unsure", question=text),
            source="labeler", by=people["labeler"], task=task, remote_id=9000 + number,
            remote_hash="a",
        )  # fmt: skip
        record_label(
            image=task.image, kind="brand",
            content=Content(answer="brand", brand=shown[1].brand),
            source="labeler", by=second,
        )  # fmt: skip
        asked = timezone.now() - timedelta(hours=len(ASKED) - number)
        Question.objects.filter(label=label).update(asked_at=asked)
        questions.append(Question.objects.get(label=label))
    return questions
