"""A database as a demo leaves it: about 3,000 images, 600 tasks and labels, three rounds. Rows
only, unless pictures are given; nothing here is trained or measured."""

import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image as Picture

from active_learning.models import Round, Selection
from annotation import consensus
from annotation.models import (
    Brand,
    Feature,
    FeatureExample,
    GuidelineVersion,
    Image,
    ImageGroup,
    IngestBatch,
    Label,
    Product,
    Question,
    ReturnedTask,
    Task,
)
from tests.demo_loop import (
    make_forecasts,
    make_releases,
    make_rounds,
    make_runs,
    make_sync,
    make_trials,
)
from tests.demo_monitoring import make_monitoring
from tests.demo_review import make_flagged
from tests.demo_sources import make_sources
from tests.factories import ImageFactory
from webapp.roles import ensure_roles

BRANDS = 40
IMAGES = 3000
TASKS = 600
MIX = ("hard_negatives", "low_precision", "uncertain", "random_control", "probe")
NAMES = [
    ("Northwind", "北风"),
    ("Peak Performance Outdoor Equipment International", "巅峰户外装备国际股份有限公司"),
    ("Lumen & Co", "流明"),
    ("Kestrel", ""),
]


def make_people() -> dict[str, User]:
    """One person a role, with the role's name as name and password."""
    ensure_roles()
    people = {}
    for role in ("labeler", "operations", "ml_engineer", "admin"):
        person, made = User.objects.get_or_create(username=role)
        if made:
            person.set_password(role)
            person.save()
            person.groups.add(Group.objects.get(name=role))
        people[role] = person
    return people


def make_demo(
    *, seed: int = 0, images: int = IMAGES, tasks: int = TASKS, pictures: Sequence[Path] = ()
) -> None:
    """Fill an empty database. `pictures` are stored as the images, as far as they reach."""
    rng = random.Random(seed)
    people = make_people()
    brands = make_brands(rng)
    pool = make_images(rng, brands, images, pictures)
    make_examples(rng, brands, pool)
    releases = make_releases(rng, brands)
    rounds = make_rounds(releases)
    pool = [image for image in pool if image.split == "pool"]
    pool, unasked = pool[:tasks], pool[tasks:]
    make_answers(rng, rounds, pool, brands, people["labeler"])
    make_doubts(people)
    make_flagged(rng, unasked, brands, people["operations"])
    make_runs(releases, people)
    make_trials(releases, brands, people)
    make_forecasts(rng, rounds, brands)
    make_sync()
    make_monitoring(rng, brands)
    make_sources(brands, people["operations"])


def make_brands(rng: random.Random) -> list[Brand]:
    brands = []
    for i in range(BRANDS):
        english, chinese = NAMES[i] if i < len(NAMES) else (f"Brand {i:02}", f"品牌{i}")
        brands.append(
            Brand(key=f"brand-{i:02}", name_en=english, name_zh=chinese, protected=i % 9 == 0)
        )
    return Brand.objects.bulk_create(brands)


def make_images(
    rng: random.Random, brands: list[Brand], count: int, pictures: Sequence[Path]
) -> list[Image]:
    batch = IngestBatch.objects.create(
        source="product_table",
        directory="/data/products",
        split="pool",
        state="done",
        finished_at=timezone.now() - timedelta(hours=5),
    )
    splits = ["pool"] * 7 + ["train", "closed", "open"]
    chosen = [splits[i % len(splits)] for i in range(count)]
    groups = ImageGroup.objects.bulk_create(
        ImageGroup(role="test" if split in ("closed", "open") else "training") for split in chosen
    )
    products = Product.objects.bulk_create(
        Product(source="demo", external_id=str(i), title=f"Running shoe model {i} 跑步鞋 透气 轻便")
        for i in range(count)
    )
    rows = []
    for i, (split, group, product) in enumerate(zip(chosen, groups, products, strict=True)):
        weak = rng.choice(brands) if i % 3 == 0 else None
        width, height = rng.choice([(600, 800), (800, 600), (640, 640)])
        image = ImageFactory.build(
            split=split, group=group, product=product, batch=batch, source="product_table",
            weak_brand=weak, weak_answer="brand" if weak else "", width=width, height=height,
        )  # fmt: skip
        if i < len(pictures):
            with Picture.open(pictures[i]) as opened:
                image.width, image.height = opened.size
            with pictures[i].open("rb") as content:
                image.file = default_storage.save(f"images/{pictures[i].name}", content)
        rows.append(image)
    return Image.objects.bulk_create(rows, batch_size=1000)


def make_examples(rng: random.Random, brands: list[Brand], images: list[Image]) -> None:
    """A published guideline a brand, but for the last few."""
    for brand in brands[:-4]:
        version = GuidelineVersion.objects.create(
            brand=brand,
            number=rng.randint(1, 4),
            rules="Look for the **mark on the tongue**.\n\n- both shapes count\n- colour does not",
        )
        for position, kind in enumerate(("logo", "wordmark")):
            feature = Feature.objects.create(
                version=version, kind=kind, text="on the side 侧面标志", position=position,
                registered=position == 0,
            )  # fmt: skip
            picture = rng.choice(images[:200])
            x, y = picture.width // 4, picture.height // 3
            FeatureExample.objects.create(
                feature=feature, file=picture.file, width=picture.width, height=picture.height,
                regions=[{"x1": x, "y1": y, "x2": 2 * x, "y2": 2 * y}],
            )  # fmt: skip
    GuidelineVersion.objects.update(
        state="published", published_at=timezone.now() - timedelta(days=rng.randint(1, 90))
    )


def make_answers(
    rng: random.Random, rounds: list[Round], pool: list[Image], brands: list[Brand], by: User
) -> None:
    """A task, a selection and mostly a label for each image of the pool given."""
    tasks, selections, labels = [], [], []
    for rank, image in enumerate(pool):
        round_ = rounds[1 + rank % (len(rounds) - 1)]
        kind = "brand" if rank % 7 else rng.choice(["boxes", "variation"])
        strategy = rng.choice(MIX) if kind == "brand" else "near_threshold"
        focus, score = rng.choice(brands), rng.random()
        is_answered = round_.state == "done" or rank % 4 == 1
        task = Task(
            image=image, kind=kind, strategy=strategy,
            blind=strategy in ("probe", "random_control"),
            focus_brand=None if strategy == "random_control" else focus, remote_id=rank + 1,
            proposal={
                "answer": "brand", "brand": focus.key, "score": round(score, 4), "model": "v1",
                "variation": "none", "candidates": [focus.key],
                "boxes": [
                    {"x1": 40, "y1": 60, "x2": 200, "y2": 180, "brand": focus.key, "score": 0.8}
                ],
            },
            state="answered" if is_answered else "pushed",
            pushed_at=timezone.now(), answered_at=timezone.now() if is_answered else None,
        )  # fmt: skip
        tasks.append(task)
        propensity = 0.02 if task.blind else None
        selections.append(
            Selection(
                round=round_, task=task, strategy=strategy, score=score, rank=rank,
                focus_brand=task.focus_brand, propensity=propensity,
            )
        )  # fmt: skip
        if is_answered:
            answer = _answer(rng, kind, focus, brands)
            labels.append(
                Label(image=image, kind=kind, task=task, by=by, source="labeler", **answer)
            )
    Task.objects.bulk_create(tasks)
    Selection.objects.bulk_create(selections)
    Label.objects.bulk_create(labels)
    for kind in Task.Kind.values:
        ids = [label.image_id for label in labels if label.kind == kind]
        consensus.refresh(image_ids=ids, kind=kind)


def make_doubts(people: dict[str, User]) -> None:
    """Questions of the labeler, the older half answered, and a task given back."""
    now = timezone.now()
    labels = Label.objects.filter(kind="brand", by=people["labeler"]).select_related("task")
    questions = []
    for number, label in enumerate(labels.order_by("pk")[:12]):
        asked = now - timedelta(minutes=10 * (12 - number))
        answered = {
            "state": "answered", "reply": "A mass style 通用款.", "answer": "none",
            "answered_at": asked + timedelta(minutes=3 + number),
            "answered_by": people["operations"],
        }  # fmt: skip
        questions.append(
            Question(
                label=label, task=label.task, asked_by=people["labeler"], asked_at=asked,
                text=f"Is number {number} a mass style? 这算通用款吗?",
                **(answered if number < 6 else {}),
            )
        )  # fmt: skip
    Question.objects.bulk_create(questions)
    again = Task.objects.create(
        image=labels[0].image, kind="brand", strategy="returned", only_for=people["labeler"],
        note="Look again 请再看一次.", blind=True,
    )  # fmt: skip
    ReturnedTask.objects.create(
        label=labels[0], task=again, to=people["labeler"], reason="sent_back",
        comment=again.note, returned_by=people["operations"],
    )  # fmt: skip


def _answer(rng: random.Random, kind: str, focus: Brand, brands: list[Brand]) -> dict[str, Any]:
    if kind == "boxes":
        box = {"x1": 50, "y1": 70, "x2": 220, "y2": 200, "brand": focus.key}
        return {"boxes": [box] if rng.random() < 0.7 else []}
    if kind == "variation":
        return {"variation": rng.choice(["none", "collage", "stack"])}
    if (draw := rng.random()) < 0.6:
        return {"answer": "brand", "brand": focus if draw < 0.4 else rng.choice(brands)}
    return {"answer": rng.choice(["none", "other", "unsure"])}
