"""What the pictures of the guides show: a small generated world with people at work in it. Made by
the platform's own functions, from pictures whose answers are known."""

import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from django.contrib.auth.models import Group, User
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image as Picture

from active_learning.models import Round, Selection
from annotation import gold, guidelines, missed, questions, returns, skills
from annotation.cases import create_case
from annotation.guideline_content import content_of
from annotation.labels import Content, record_label
from annotation.models import (
    Brand,
    Flag,
    GoldItem,
    GuidelineVersion,
    Image,
    ImageCopy,
    Label,
    Qualification,
    Question,
    Task,
)
from annotation.qualification_tests import save_group
from annotation.vectors import open_space, serve_space, store_vectors
from annotation.world import load_world
from ml.bench.copies import alter
from ml.manifest import Manifest, read_manifest
from tests.demo_loop import make_forecasts, make_releases, make_rounds, make_runs, make_sync
from tests.demo_monitoring import make_monitoring
from tests.demo_review import make_flagged
from tests.demo_rows import MIX, make_people

NAMES = {"labeler": "Chen Min", "operations": "Li Na", "ml_engineer": "Wang Lei"}
COLLEAGUES = {"zhao-yu": 0.9, "sun-jia": 0.6}  # how often they are right
SEVENTH, EIGHTH = 7, 8  # the flags that `make_flagged` calls copies of its first


def fill(world: Path, *, seed: int = 3) -> dict[str, User]:
    """Fill an empty database; the people by role, the labeler's group of brands still to pass."""
    rng = random.Random(seed)
    load_world(directory=world, processes=1)
    people = make_people()
    for role, name in NAMES.items():
        people[role].first_name, people[role].username = name, name.lower().replace(" ", "-")
        people[role].save()
    truth = Truth(read_manifest(world / "truth"))
    brands = list(Brand.objects.order_by("key"))
    rounds = make_rounds(make_releases(rng, brands))
    make_runs([round_.candidate for round_ in rounds if round_.candidate], people)
    make_sync()
    flagged = truth.for_flags(brands)
    branded, plain = truth.others(flagged)
    gold_images = branded[:14] + plain[:6]
    asked = branded[14:] + plain[6:46]
    rng.shuffle(asked)
    make_flagged(rng, flagged, _in_turn(brands), people["operations"])
    truth.make_copies(flagged)
    for flag in Flag.objects.select_related("product"):  # a licensed one is no flag
        merchant = flag.product.merchant if flag.product else None
        Qualification.objects.filter(brand=flag.brand, merchant=merchant).delete()
    _make_vectors(flagged + gold_images + asked)
    _make_gold(truth, gold_images, brands, people["operations"])
    _make_answers(rng, truth, asked, people)
    _make_knowledge(truth, asked, brands, people["operations"])
    _make_doubts(truth, asked, people)
    skills.tend()
    _make_loop(random.Random(seed + 1), rounds, brands)
    return people


def _make_loop(rng: random.Random, rounds: list[Round], brands: list[Brand]) -> None:
    """What engineers look at beside the rounds: why each item was chosen, a preview and what its
    labels bought, measurements."""
    tasks = Task.objects.filter(kind="brand", is_gold=False, strategy="uncertain").order_by("pk")
    for rank, task in enumerate(tasks):
        strategy = MIX[rank % len(MIX)]
        drawn = strategy in ("probe", "random_control")
        Selection.objects.create(
            round=rounds[1], task=task, strategy=strategy, score=rng.uniform(0.4, 1),
            rank=rank // len(MIX) + 1, propensity=0.06 if drawn else None,
            focus_brand=None if strategy == "random_control" else task.focus_brand,
        )  # fmt: skip
    make_forecasts(rng, rounds, brands)
    make_monitoring(rng, brands)


def _in_turn(brands: list[Brand]) -> list[Brand]:
    # So that the first flag and its copies, the seventh and eighth, are of one brand.
    return [brands[0], brands[1], brands[2], brands[0]]


class Truth:
    """The images of the pool with what they really show."""

    def __init__(self, manifest: Manifest) -> None:
        self.rows = {row["sha256"]: row for row in manifest.table.to_pylist()}
        self.brands = {brand.key: brand for brand in Brand.objects.all()}
        known = Image.objects.filter(split="pool", sha256__in=self.rows).select_related("product")
        self.images = list(known.order_by("sha256"))

    def of(self, image: Image) -> Content:
        row = self.rows[image.sha256]
        brand = self.brands.get(row["brand"]) if row["answer"] == "brand" else None
        return Content(answer="brand" if brand else "none", brand=brand)

    def boxes(self, image: Image) -> list[dict]:
        return list(self.rows[image.sha256]["boxes"] or ())

    def for_flags(self, brands: list[Brand]) -> list[Image]:
        """Images with a mark, whose brands come in the order that the flags will have."""
        of_brand: dict[str, list[Image]] = defaultdict(list)
        for image in self.images:
            content = self.of(image)
            if content.brand and len(self.boxes(image)) == 1:
                of_brand[content.brand.key].append(image)
        chosen = []
        for number in range(16):
            left = of_brand[_in_turn(brands)[number % 4].key]
            if not left:
                break
            chosen.append(left.pop())
        return chosen

    def others(self, flagged: list[Image]) -> tuple[list[Image], list[Image]]:
        """The images without a flag: those of a brand, and those of none."""
        rest = [image for image in self.images if image not in set(flagged)]
        branded = [image for image in rest if self.of(image).brand]
        return branded, [image for image in rest if not self.of(image).brand]

    def make_copies(self, flagged: list[Image]) -> None:
        """Pictures of the first that were changed, and everybody's real marks as evidence."""
        first = Path(default_storage.path(flagged[0].file))
        with Picture.open(first) as opened:
            original = opened.convert("RGB")
        for number, change in ((SEVENTH, "mirrored"), (EIGHTH, "bordered")):
            altered = alter(original, change, np.random.default_rng(number))
            image = flagged[number]
            path = Path(default_storage.path(image.file))
            altered.save(path)
            Image.objects.filter(pk=image.pk).update(width=altered.width, height=altered.height)
            ImageCopy.objects.filter(other=image).update(change=change)
            ImageCopy.objects.filter(image=image).update(change=change)
        for number, image in enumerate(flagged):
            for flag in image.flags.all():
                boxes = [] if number in (SEVENTH, EIGHTH) else self.boxes(image)
                flag.evidence["boxes"] = [box | {"score": 0.8} for box in boxes]
                flag.save(update_fields=["evidence"])


def _make_vectors(images: list[Image]) -> None:
    """A picture's colours in a grid stand for its embedding: nothing is trained here."""
    embeddings = {}
    for image in images:
        with Picture.open(default_storage.path(image.file)) as opened:
            grid = np.asarray(opened.convert("RGB").resize((4, 4)), dtype=float).ravel()
        embeddings[image.pk] = list(grid - grid.mean() + 1e-3)
    space = open_space(model="guides")
    store_vectors(space=space, embeddings=embeddings)
    serve_space(space=space)


def _make_answers(
    rng: random.Random, truth: Truth, images: list[Image], people: dict[str, User]
) -> None:
    """Gold answers, two answers an image by three labelers, the last twenty still open."""
    known = {"chen-min": (people["labeler"], 0.95)}
    for name, right in COLLEAGUES.items():
        colleague = User.objects.create_user(name)
        colleague.groups.add(Group.objects.get(name="labeler"))
        known[name] = (colleague, right)
    for number, item in enumerate(GoldItem.objects.select_related("image", "task").order_by("-pk")):
        for name, (who, right) in known.items():
            if name in COLLEAGUES or number < 8:
                said = _said(rng, truth, item.image, right)
                _answer(rng, item.image, said, who, item.task)
    for number, image in enumerate(images):
        task = _task(truth, image, number)
        if number >= len(images) - 20:
            continue
        for who, right in rng.sample(list(known.values()), 2):
            _answer(rng, image, _said(rng, truth, image, right), who, task)


def _said(rng: random.Random, truth: Truth, image: Image, right: float) -> Content:
    if rng.random() < right:
        return truth.of(image)
    return Content(answer="brand", brand=rng.choice(list(truth.brands.values())))


def _answer(rng: random.Random, image: Image, said: Content, by: User, task: Task | None) -> None:
    record_label(
        image=image, kind="brand", content=said, source="labeler", by=by, task=task,
        guideline=task.guideline if task else None, seconds=rng.uniform(2, 14),
    )  # fmt: skip


def _task(truth: Truth, image: Image, number: int) -> Task:
    brand = truth.of(image).brand or list(truth.brands.values())[number % len(truth.brands)]
    version = guidelines.published_guideline(brand=brand)
    is_blind = number % 3 == 0
    likely = [brand.key, *(key for key in truth.brands if key != brand.key)]
    return Task.objects.create(
        image=image, kind="brand", strategy="uncertain", focus_brand=brand, blind=is_blind,
        priority=int(is_blind) + (truth.of(image).brand is not None),  # the guides' picture first
        guideline=version, guidelines_shown=[version.pk] if version else [], state="pushed",
        remote_id=number + 1, pushed_at=timezone.now(), answers_wanted=2,
        proposal={"answer": "brand", "brand": brand.key, "score": 0.7,
                  "candidates": likely, "model": "v2"},
    )  # fmt: skip


def _make_gold(truth: Truth, images: list[Image], brands: list[Brand], by: User) -> None:
    for image in images:
        said = truth.of(image)
        why = f"The mark is {said.brand.name_en}'s." if said.brand else "A common pattern, no mark."
        gold.add_gold(image=image, kind="brand", content=said, explanation=why, by=by)
    save_group(group=None, name="First brands", brands=brands, questions=8, pass_share=0.8, by=by)


def _make_knowledge(truth: Truth, images: list[Image], brands: list[Brand], by: User) -> None:
    """A draft of the first two brands each, cases, a missed risk."""
    for brand in brands[:2]:
        draft = guidelines.begin_draft(brand=brand, by=by)
        said = content_of(draft)
        features = list(said.features)
        example = features[0].examples[0]
        moved = [{k: round(v * 0.94, 1) for k, v in box.items()} for box in example.regions]
        features[0] = replace(
            features[0], text=features[0].text + ", also embroidered",
            examples=[replace(example, regions=moved), *features[0].examples[1:]],
        )  # fmt: skip
        guidelines.save_draft(
            version=draft, seen=draft.edited_at, by=by,
            content=replace(
                said, features=features, least_logo=12, change_note="Embroidered marks count",
                not_violations="Plain stripes, checks and dots: a **mass style**.",
            ),
        )  # fmt: skip
    kinds = ("mass_style", "recognisability", "knock_off", "smear", "other")
    reasons = {
        "brand": "The mark can be read without the title 不看标题也能认出标志.",
        "none": "A common pattern that many shops sell 通用款,不算品牌.",
    }
    for number, image in enumerate(images[:12]):
        shown = truth.of(image)
        boxes = truth.boxes(image)
        region = {side: boxes[0][side] for side in ("x1", "y1", "x2", "y2")} if boxes else None
        brand = shown.brand or brands[number % len(brands)]
        create_case(
            image=image, kind=kinds[number % 5] if shown.brand else "mass_style",
            verdict=shown.answer, brand=brand, reason=reasons[shown.answer], region=region,
            guideline=guidelines.published_guideline(brand=brand), by=by,
        )  # fmt: skip
    finding = missed.Finding(
        brand=brands[0], risk="infringement", channel="complaint",
        found_on=max(date(2026, 1, 5), timezone.localdate() - timedelta(days=3)),
        note="The brand's owner wrote to us.",
    )  # fmt: skip
    marked = [image for image in images[20:40] if truth.of(image).brand == brands[0]]
    for image in marked[:1]:
        missed.enter_missed_risk(finding=finding, by=by, image=image)


def _make_doubts(truth: Truth, images: list[Image], people: dict[str, User]) -> None:
    """Questions of the labeler, one of them answered, and a label sent back."""
    labeler, operations = people["labeler"], people["operations"]
    texts = (
        "The mark is half covered: does it still count? 标志被遮住一半,还算吗?",
        "Only the pattern, no name. Is it a mass style? 只有花纹没有字母,算通用款吗?",
        "Is this letter changed on purpose? 这个字母是故意改的吗?",
    )
    open_ones = [image for image in images[-20:] if truth.of(image).brand]
    for text, image in zip(texts, open_ones, strict=False):
        task = Task.objects.get(image=image, kind="brand")
        record_label(
            image=image, kind="brand", content=Content(answer="unsure", question=text),
            source="labeler", by=labeler, task=task, seconds=21,
        )  # fmt: skip
    opened = list(Question.objects.order_by("pk"))
    for hours, question in enumerate(reversed(opened), start=1):
        Question.objects.filter(pk=question.pk).update(
            asked_at=timezone.now() - timedelta(hours=hours)
        )
    questions.answer_question(
        question=opened[0], by=operations, reply="Yes: what is left can be recognised.",
        content=truth.of(opened[0].task.image), as_case="smear",
    )  # fmt: skip
    label = Label.objects.filter(by=labeler, answer="brand", superseded_by__isnull=True)[3]
    returns.send_back(
        label=label,
        by=operations,
        comment="Compare the mark with the guideline once more, please. 请再对照一次规范.",
    )
    for task in Task.objects.filter(only_for=labeler, state="waiting"):
        task.state, task.remote_id, task.pushed_at = "pushed", 9000 + task.image_id, timezone.now()
        task.save()


def version_of(*, brand_number: int, state: str) -> int:
    """The number of a guideline in that state, for an address."""
    brand = Brand.objects.order_by("key")[brand_number]
    return GuidelineVersion.objects.get(brand=brand, state=state).pk
