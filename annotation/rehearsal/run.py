"""One campaign through the real Label Studio, and what came of it."""

import time
from collections import defaultdict
from collections.abc import Callable

from django.db.models import Q, QuerySet

from annotation import skills
from annotation.models import Consensus, Hold, Label, Task
from annotation.quality.campaign import SHOWN, Outcome
from annotation.quality.world import World, majority
from annotation.rehearsal.cast import Cast
from annotation.rehearsal.stage import RehearsalError, Stage, set_stage
from annotation.tasking import OPEN
from annotation.voices import class_of

LOOK_SECONDS = 2.0
STALL_SECONDS = 240.0  # without an answer or a change: something does not work
ARRIVE_SECONDS = 120.0  # for the last answers to come back from Label Studio
ROUNDS = 20  # of answering and fitting anew

FIRST = Q(supersedes__isnull=True, retracted=False, source=Label.Source.LABELER)


def rehearse(
    *, mode: str, seed: int, items: int, say: Callable[[str], None] = lambda _line: None
) -> Outcome:
    """Play one campaign. The platform has to be up, and its installation empty but for earlier
    rehearsals. Raises RehearsalError."""
    world = World(seed=seed, items=items, gold=min(150, max(30, items // 4)), shown=SHOWN[mode])
    stage = set_stage(world=world, mode=mode, seed=seed)
    cast = Cast(world=world, stage=stage)
    say(f"{mode}, seed {seed}: {items} items on the stage")
    for _round in range(ROUNDS):
        cast.run(until=_Ended(stage, cast))
        _await_labels(stage, cast)
        say(f"{cast.answered} answers, gold among them")
        skills.tend()  # as beat does every minute; it may find answers that are no longer sure
        if not _open(stage):
            return _outcome(world, stage, mode)
    raise RehearsalError("the answers never came to rest")


class _Ended:
    """Whether nothing is left to ask; looked up every few seconds, whoever asks."""

    def __init__(self, stage: Stage, cast: Cast) -> None:
        self._stage, self._cast = stage, cast
        self._ended = False
        self._looked = self._moved = time.monotonic()
        self._last: tuple[int, int] = (-1, -1)

    def __call__(self) -> bool:
        now = time.monotonic()
        if self._ended or now - self._looked < LOOK_SECONDS:
            return self._ended
        self._looked = now
        left = _open(self._stage)
        if (self._cast.answered, left) != self._last:
            self._last, self._moved = (self._cast.answered, left), now
        self._ended = not left
        if now - self._moved > STALL_SECONDS:
            raise RehearsalError(
                f"{left} tasks are open and nobody answered for {STALL_SECONDS:.0f} s: is the "
                "platform up, workers and gateway too? (manage.py status)"
            )
        return self._ended


def _open(stage: Stage) -> int:
    images = [image.pk for image in stage.images.values()]
    return Task.objects.filter(image__in=images, state__in=OPEN, is_gold=False).count()


def _await_labels(stage: Stage, cast: Cast) -> None:
    """Until every answer given has become a label."""
    until = time.monotonic() + ARRIVE_SECONDS
    while _labels(stage).count() < cast.answered:
        if time.monotonic() > until:
            raise RehearsalError(f"only {_labels(stage).count()} of {cast.answered} answers came")
        time.sleep(1)


def _labels(stage: Stage) -> QuerySet[Label]:
    return Label.objects.filter(FIRST, by__in=list(stage.people.values()))


def _outcome(world: World, stage: Stage, mode: str) -> Outcome:
    ordinary = _labels(stage).filter(task__is_gold=False).select_related("brand").order_by("pk")
    said: dict[int, list[str]] = defaultdict(list)
    for label in ordinary:
        said[label.image_id].append(class_of(label))
    rows = {row.image_id: row for row in Consensus.objects.filter(image__in=said)}
    right, sure, answers = [], [], 0
    for number, image in stage.images.items():
        if mode == "majority3":
            first = said[image.pk][:3]
            decided, trusted = majority(first), True
            answers += len(first)
        else:
            row = rows.get(image.pk)
            decided = f"brand:{row.brand.key}" if row and row.brand else row.answer if row else ""
            trusted = bool(row and row.trusted)
            answers += len(said[image.pk])
        right.append(decided == world.items[number].truth)
        if trusted:
            sure.append(right[-1])
    return Outcome(
        accuracy=sum(right) / len(right),
        answers_per_item=answers / len(right),
        trusted=len(sure) / len(right),
        trusted_accuracy=sum(sure) / max(len(sure), 1),
        gold_answers=_labels(stage).filter(task__is_gold=True).count(),
        held=_held(stage),
    )


def _held(stage: Stage) -> dict[str, int]:
    """Answers given, gold among them, before somebody was held."""
    held = {}
    for name, user in stage.people.items():
        hold = Hold.objects.filter(user=user).order_by("created_at").first()
        if hold is not None:
            given = Label.objects.filter(FIRST, by=user, created_at__lte=hold.created_at)
            held[name] = given.count()
    return held
