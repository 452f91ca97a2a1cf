"""What a rehearsal needs in the database: brands, pictures that are only noise, tasks, gold."""

import csv
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.contrib.auth.models import Group, User
from django.utils.crypto import get_random_string
from PIL import Image as Picture

from annotation.gold import add_gold, retire_gold
from annotation.ingest import ingest_folder
from annotation.labels import Content
from annotation.models import Brand, GoldItem, Image, Task
from annotation.models.label import Answer
from annotation.quality.world import BRANDS, NONE, Item, World, look_alike
from annotation.tasking import OPEN, create_tasks, withdraw_tasks

SOURCE = "rehearsal"
SIDE = 64  # pixels of a picture
# Where the model's word never counts, and where it may: see `voices.UNTOUCHED`.
STRATEGIES = {"people": "random_control", "model": SOURCE, "majority3": "random_control"}


class RehearsalError(Exception):
    """There is no platform to rehearse on, or it holds what is not a rehearsal's."""


@dataclass(frozen=True)
class Part:
    """An item of the world and its name there, which decides what people say of it."""

    item: Item
    name: object


@dataclass(frozen=True)
class Stage:
    """`parts` by the sha256 of their pictures, the images by item number, and the people by the
    world's names for them."""

    parts: Mapping[str, Part]
    images: Mapping[int, Image]
    people: Mapping[str, User]


def refuse_foreign() -> None:
    """Raises RehearsalError on a platform that is used: invented labels must not reach training."""
    if Image.objects.exclude(source=SOURCE).exists():
        raise RehearsalError(
            "this installation has images of its own; rehearse in an empty one: "
            "TOUCHSTONE_HOME=/tmp/rehearsal manage.py up --detach, and the same home here"
        )


def set_stage(*, world: World, mode: str, seed: int) -> Stage:
    """Put a world in place, each mode and seed beside the earlier ones."""
    refuse_foreign()
    _clear()
    brands = {name: _brand(name) for name in BRANDS}
    parts = {number: Part(item, number) for number, item in enumerate(world.items)}
    gold = {number: Part(item, f"gold {number}") for number, item in enumerate(world.gold)}
    wanted = [*parts.values(), *(gold.values() if mode != "majority3" else ())]
    pictures = _pictures(wanted, prefix=f"{mode}:{seed}")
    for part in gold.values():
        if part.name in pictures:
            _add_gold(pictures[part.name], part.item, brands)
    images = {number: pictures[number] for number in parts}
    create_tasks(tasks=[_task(images[n], world.items[n], mode, n) for n in parts])
    people = {name: _person(f"{SOURCE}-{mode}-{seed}-{name}") for name in world.people}
    by_sha = {pictures[part.name].sha256: part for part in wanted}
    return Stage(by_sha, images, people)


def _clear() -> None:
    """Take back what an earlier rehearsal left open."""
    for item in GoldItem.objects.filter(state=GoldItem.State.ACTIVE):
        retire_gold(item=item, by=None, why="another rehearsal begins")
    left = Task.objects.filter(state__in=OPEN, is_gold=False).values_list("pk", flat=True)
    withdraw_tasks(task_ids=list(left))


def _brand(name: str) -> Brand:
    key = name.removeprefix("brand:")
    brand, _made = Brand.objects.get_or_create(
        key=key, defaults={"name_en": f"Rehearsal {key}", "state": Brand.State.LISTED}
    )
    return brand


def _pictures(parts: list[Part], prefix: str) -> dict[object, Image]:
    """An image of noise for each part: nothing in them is alike, so that none are grouped."""
    with tempfile.TemporaryDirectory() as folder:
        names = {}
        with (Path(folder) / "products.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["id", "file", "brand", "title", "category", "article_type"])
            for at, part in enumerate(parts):
                path = Path(folder) / f"{at}.png"
                _draw(f"{prefix}:{part.name}", path)
                names[hashlib.sha256(path.read_bytes()).hexdigest()] = part.name
                table.writerow([f"{prefix}:{part.name}", path.name, "", "", "", ""])
        ingest_folder(directory=folder, source=SOURCE)
    images = {names[image.sha256]: image for image in Image.objects.filter(sha256__in=names)}
    if len(images) < len(parts):
        raise RehearsalError(f"only {len(images)} of {len(parts)} pictures were taken in")
    return images


def _draw(name: str, path: Path) -> None:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Picture.fromarray(noise).resize((SIDE, SIDE), Picture.Resampling.NEAREST).save(path)


def _add_gold(image: Image, item: Item, brands: Mapping[str, Brand]) -> None:
    brand = brands.get(item.truth)
    content = Content(answer=Answer.BRAND if brand else Answer.NONE, brand=brand)
    add_gold(image=image, kind=Task.Kind.BRAND, content=content, explanation="", by=None)


def _task(image: Image, item: Item, mode: str, number: int) -> Task:
    proposed = item.proposal.removeprefix("brand:")
    none = item.proposal == NONE
    candidates = [] if none else [proposed, look_alike(item.proposal).removeprefix("brand:")]
    return Task(
        image=image,
        kind=Task.Kind.BRAND,
        strategy=STRATEGIES[mode],
        blind=item.blind,
        priority=-number,
        answers_wanted=3 if mode == "majority3" else 1,
        proposal={
            "candidates": candidates,
            "answer": Answer.NONE if none else Answer.BRAND,
            "brand": None if none else proposed,
            "score": item.score,
            "model": SOURCE,
        },
    )


def _person(username: str) -> User:
    user, made = User.objects.get_or_create(username=username)
    if made:
        user.set_password(get_random_string(32))
        user.save(update_fields=["password"])
        user.groups.add(Group.objects.get_or_create(name="labeler")[0])
    return user
