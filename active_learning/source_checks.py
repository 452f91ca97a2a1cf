"""Asking people, blind, how right the word of a source is."""

import random
import uuid

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from active_learning.models import Source
from active_learning.sources import SourceError
from annotation import audit
from annotation.models import Brand, Image, Task
from annotation.models.image import TRAINING_SPLITS
from annotation.tasking import OPEN, create_tasks

CHECK = "source_check"  # strategy of the tasks
MOST = 500  # images asked about at a time
KEYS = 9  # brands that a labeler has on the keyboard
NAMESPACE = uuid.UUID("0f2b8f4e-4a53-4a0e-93c5-53f6b9a4d7f1")


def check_at_random(*, source: str, count: int, by: User) -> int:
    """Have people look, blind, at images of a source's name whose weak label nobody has judged,
    drawn at random, one of a near-duplicate group: their answers measure the source, and take the
    place of its word. Returns how many are asked.

    Raises:
        SourceError: the number cannot be, or there is nothing left to ask.
    """
    if not 1 <= count <= MOST:
        raise SourceError(_("Between 1 and %(most)d images.") % {"most": MOST})
    tasks = _check_tasks(_unjudged(source, count))
    with transaction.atomic():
        asked = create_tasks(tasks=tasks)
        if not asked:
            raise SourceError(_("All of its weak labels are judged, or being asked about."))
        subject = Source.objects.filter(name=source).first()
        if subject is not None:
            audit.note(action="check_source", subject=subject, by=by, after={"images": asked})
    return asked


def _unjudged(source: str, count: int) -> list[Image]:
    """A random draw: hashes are as good as random, and so is where in them it begins."""
    asked = Task.objects.filter(
        Q(state__in=OPEN) | Q(state=Task.State.ANSWERED),
        image__group=OuterRef("group"),
        kind=Task.Kind.BRAND,
    )
    images = (
        Image.objects.filter(~Exists(asked), source=source, split__in=TRAINING_SPLITS)
        .exclude(weak_answer="")
        .exclude(consensus__kind=Task.Kind.BRAND)
        .select_related("weak_brand")
        .order_by("sha256")
    )
    start = f"{random.randrange(16**8):08x}"
    found: dict[int, Image] = {}
    for part in (images.filter(sha256__gte=start), images.filter(sha256__lt=start)):
        for image in part.iterator(chunk_size=500):
            if len(found) == count:
                break
            found.setdefault(image.group_id, image)
    return list(found.values())


def _check_tasks(images: list[Image]) -> list[Task]:
    """Nine brands to choose from, the source's among them at no place of its own, so that nothing
    tells the labeler what the source says."""
    listed = list(Brand.objects.filter(state=Brand.State.LISTED).values_list("key", flat=True))
    tasks = []
    for image in images:
        draw = random.Random(image.sha256)
        own = [image.weak_brand.key] if image.weak_brand else []
        others = draw.sample(listed, min(KEYS, len(listed)))
        keys = (own + [key for key in others if key not in own])[:KEYS]
        tasks.append(
            Task(
                id=uuid.uuid5(NAMESPACE, f"{CHECK}/{image.pk}"),
                image=image,
                kind=Task.Kind.BRAND,
                strategy=CHECK,
                blind=True,
                proposal={"candidates": draw.sample(keys, len(keys))},
            )
        )
    return tasks
