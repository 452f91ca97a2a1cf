"""Simulated labelers: people of ours who answer through the gateway like everybody, as often right
as they are told to be."""

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import InterfaceError, OperationalError, connection

from annotation.gateway.labeler import GatewayLabeler
from annotation.gateway.upstream import open_entry
from annotation.labelstudio.client import LabelStudioError
from annotation.labelstudio.configs import MARK, NONE, OTHER, UNSURE
from annotation.labelstudio.payload import TASK_KEY
from annotation.labelstudio.projects import projects
from annotation.models import Brand, Task
from annotation.models.label import Answer, Variation

logger = logging.getLogger(__name__)

IDLE_SECONDS = 2.0  # between a labeler's looks at an empty queue
OUTAGE_SECONDS = 2.0
JITTER = 0.04  # of a box's side


@dataclass(frozen=True)
class Question:
    """A task as a labeler gets it."""

    remote_id: int
    kind: str
    sha256: str
    width: int
    height: int
    focus: str  # the brand whose marks are to be boxed
    offered: frozenset[str]


class SimulatedLabelers:
    """`count` labelers who know the truth (rows of a manifest by sha256) and give it with
    probability `accuracy`. What one answers to an item depends on `seed`, item and labeler only,
    so runs can be compared whatever the order of the tasks."""

    def __init__(
        self, *, truth: Mapping[str, Mapping[str, Any]], count: int, accuracy: float, seed: int
    ) -> None:
        self._truth = truth
        self._accuracy = accuracy
        self._seed = seed
        self._brands = sorted({row["brand"] for row in truth.values() if row.get("brand")})
        self._people = [_labeler(number) for number in range(1, count + 1)]
        for person in self._people:
            open_entry(user=person)  # takes a second or two each, which is no labelling time
        self._kinds = {project.remote_id: project.kind for project in projects()}
        self._names = dict(Brand.objects.values_list("key", "name_en"))
        # Label Studio's SQLite takes one writer at a time, and waits for it with long sleeps: four
        # labelers in a line give 8 answers a second, four that push each other 3.
        self._line = threading.Lock()
        self._empty_until: dict[tuple[int, int], float] = {}
        self.answered = 0

    def run(self, *, until: Callable[[], bool]) -> int:
        """Answer whatever the gateway hands out until `until` says stop (asked by every labeler
        between tasks). Returns the number of answers given."""
        before = self.answered
        with ThreadPoolExecutor(len(self._people)) as pool:
            jobs = [
                pool.submit(self._work, number, person, until)
                for number, person in enumerate(self._people)
            ]
            for job in jobs:
                job.result()
        return self.answered - before

    def _work(self, number: int, person: User, until: Callable[[], bool]) -> None:
        try:
            with GatewayLabeler(person) as labeler:
                while not until():
                    if not self._round_of_projects(number, labeler):
                        time.sleep(IDLE_SECONDS / 10)
        finally:
            connection.close()  # each thread has its own

    def _round_of_projects(self, number: int, labeler: GatewayLabeler) -> int:
        """One task of each project; returns how many there were."""
        answered = 0
        for project, kind in self._kinds.items():
            if time.monotonic() < self._empty_until.get((number, project), 0.0):
                continue
            try:
                answered += self._answer_next(number, labeler, project, kind)
            except LabelStudioError as error:
                if not error.retry:
                    raise
                logger.info("labeler %d waits: %s", number + 1, error)
                time.sleep(OUTAGE_SECONDS)
            except (OperationalError, InterfaceError) as error:
                logger.info("labeler %d waits for the database: %s", number + 1, error)
                connection.close()
                time.sleep(OUTAGE_SECONDS)
        return answered

    def _answer_next(self, number: int, labeler: GatewayLabeler, project: int, kind: str) -> bool:
        with self._line:
            remote = labeler.next_task(project=project)
        question = _read(remote, kind) if remote else None
        if question is None:
            self._empty_until[number, project] = time.monotonic() + IDLE_SECONDS
            return False
        begun = time.monotonic()
        result = self._answer(number, question)
        seconds = round(time.monotonic() - begun, 3)
        with self._line:
            taken = labeler.answer(
                task=question.remote_id, result=result or [], seconds=seconds, skip=result is None
            )
            self.answered += taken
        return taken

    def _answer(self, number: int, question: Question) -> list[dict] | None:
        """The regions of an answer; None is a skip."""
        draw = random.Random(f"{self._seed}:{question.sha256}:{question.kind}:{number}")
        right = draw.random() < self._accuracy
        row = self._truth.get(question.sha256, {})
        if question.kind == Task.Kind.BRAND:
            return self._brand_answer(draw, question, row, right)
        if question.kind == Task.Kind.VARIATION:
            return _variation_answer(draw, row, right)
        return _boxes_answer(draw, question, row, right)

    def _brand_answer(
        self, draw: random.Random, question: Question, row: Mapping[str, Any], right: bool
    ) -> list[dict]:
        truth = _brand_truth(row)
        said = truth
        if not right and truth != UNSURE:
            said = draw.choice([key for key in [*self._brands, NONE] if key != truth])
        if said in question.offered:
            return [_choice("brand", said)]
        typed = {"text": [self._names.get(said, said)]}
        return [_choice("brand", OTHER), _result("other_brand", "textarea", typed)]


def _brand_truth(row: Mapping[str, Any]) -> str:
    answer = str(row.get("answer"))
    if answer == Answer.BRAND:
        return str(row["brand"])
    return {"none": NONE, "other": OTHER}.get(answer, UNSURE)


def _variation_answer(draw: random.Random, row: Mapping[str, Any], right: bool) -> list[dict]:
    truth = row.get("variation") or Variation.NONE
    if not right:
        truth = draw.choice([value for value in Variation.values if value != truth])
    return [_choice("variation", str(truth))]


def _boxes_answer(
    draw: random.Random, question: Question, row: Mapping[str, Any], right: bool
) -> list[dict] | None:
    """Boxes of the brand asked for, each side a little off; a mistake misses one, or sees one
    where there is none. None where nobody knows them: that is not to have seen none."""
    if row.get("boxes") is None:
        return None
    boxes = [box for box in row["boxes"] if box["brand"] == question.focus]
    if not right:
        boxes = boxes[1:] if boxes else [_imagined(draw, question)]
    return [
        _result("boxes", "rectanglelabels", _rectangle(draw, box, question), number)
        for number, box in enumerate(boxes)
    ]


def _imagined(draw: random.Random, question: Question) -> dict:
    x, y = draw.uniform(0, 0.6), draw.uniform(0, 0.6)
    side = draw.uniform(0.1, 0.4)
    return {
        "x1": x * question.width,
        "y1": y * question.height,
        "x2": (x + side) * question.width,
        "y2": (y + side) * question.height,
    }


def _rectangle(draw: random.Random, box: Mapping[str, float], question: Question) -> dict:
    def percent(at: float, side: float, length: int) -> float:
        moved = at + draw.uniform(-JITTER, JITTER) * side
        return min(max(moved / length * 100, 0.0), 100.0)

    width, height = box["x2"] - box["x1"], box["y2"] - box["y1"]
    x1, x2 = (percent(box[side], width, question.width) for side in ("x1", "x2"))
    y1, y2 = (percent(box[side], height, question.height) for side in ("y1", "y2"))
    return {
        "x": x1,
        "y": y1,
        "width": x2 - x1,
        "height": y2 - y1,
        "rotation": 0,
        "rectanglelabels": [MARK],
    }


def _choice(name: str, picked: str) -> dict:
    return _result(name, "choices", {"choices": [picked]})


def _result(name: str, kind: str, value: Mapping[str, Any], number: int = 0) -> dict:
    region = {"from_name": name, "to_name": "image", "type": kind, "value": dict(value)}
    return {"id": f"{name}-{number}", **region}


def _read(remote: Mapping[str, Any], kind: str) -> Question | None:
    """Which picture it is, which a person would see; None for a task that is none of ours."""
    tasks = Task.objects.select_related("image", "focus_brand")
    task = tasks.filter(pk=remote["data"][TASK_KEY]).first()
    if task is None:
        return None
    offered: Sequence[Mapping] = remote["data"].get("brands", [])
    return Question(
        remote_id=remote["id"],
        kind=kind,
        sha256=task.image.sha256,
        width=task.image.width,
        height=task.image.height,
        focus=task.focus_brand.key if task.focus_brand else "",
        offered=frozenset(choice["alias"] for choice in offered),
    )


def _labeler(number: int) -> User:
    user, made = User.objects.get_or_create(username=f"simulated-labeler-{number}")
    if made:
        user.set_password(secrets.token_urlsafe(24))
        user.save(update_fields=["password"])
        user.groups.add(Group.objects.get_or_create(name="labeler")[0])
    return user
