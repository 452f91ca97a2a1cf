"""The engineers' guide keeps its word: its API examples are answered as it says, its commands are
such, every dial is in it, and so is every picture."""

import argparse
import dataclasses
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import get_commands, load_command_class
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from active_learning import datasets, rounds
from active_learning.models import DatasetVersion, ModelVersion, Release, Round, TrainingRun
from annotation.models import Image, Label
from docs.draw_dials import WORDS, draw, make_world
from ml.acquisition import STRATEGIES
from ml.cli import _parser
from ml.models import classifier, variation
from tests.active_learning.factories import ScanFactory

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDES = ("guide-engineers.md", "guide-engineers.zh.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    method: str
    path: str
    body: str
    status: int


def blocks(guide: str, language: str) -> list[str]:
    text = (DOCS / guide).read_text(encoding="utf-8")
    return [body for kind, body in BLOCK.findall(text) if kind == language]


def examples(guide: str) -> list[Example]:
    found = []
    for block in blocks(guide, "http"):
        first, *rest = block.strip().split("\n")
        method, path = first.split()
        *body, status = rest
        found.append(Example(method, path, "\n".join(body), int(status.removeprefix("→ "))))
    return found


def commands(guide: str) -> Iterator[list[str]]:
    for block in blocks(guide, "sh"):
        for line in block.strip().split("\n"):
            yield shlex.split(line)


@pytest.fixture
def world(small_demo, settings, tmp_path):
    """The small demo with no round running, what a training needs, and a scan by the champion."""
    settings.DATA_DIR = tmp_path
    Round.objects.update(state="done")
    TrainingRun.objects.filter(state="running").update(state="succeeded")
    plain = Image.objects.filter(split="train", weak_brand=None).values_list("pk", flat=True)[:9]
    Image.objects.filter(pk__in=list(plain)).update(weak_answer="none")
    champion = Release.objects.get(state="champion")
    folder = tmp_path / "model"
    folder.mkdir()
    ModelVersion.objects.update(artifact=str(folder))
    _scan(champion, tmp_path / "scan")
    return {
        "image": Image.objects.filter(labels__isnull=False)[0].sha256,
        "label": Label.objects.filter(kind="brand")[0].pk,
        "dataset": DatasetVersion.objects.earliest("pk").sha256,
        "failed_run": TrainingRun.objects.get(state="failed").pk,
    }


def _scan(champion: Release, folder: Path) -> None:
    """As `ml scan` leaves it, of a champion that knows five brands."""
    manifest = datasets.pool_manifest()
    names = manifest.rows("pool")["sha256"].to_pylist()
    (folder / "shards").mkdir(parents=True)
    scores = [[0.5 + (number % 40) / 100, 0.05] for number in range(len(names))]
    table = pa.table({
        "sha256": names,
        "group": [str(number) for number in range(len(names))],
        "classifier_brands": [champion.brands[n % 5 : n % 5 + 2] for n in range(len(names))],
        "classifier_scores": pa.array(scores, pa.list_(pa.float32())),
        "classifier_none": pa.array([0.95 - row[0] for row in scores], pa.float32()),
    })  # fmt: skip
    pq.write_table(table, folder / "shards" / "part-00000.parquet")
    summary = {"images": len(names), "shards": ["part-00000.parquet"]}
    (folder / "shards" / "scan.json").write_text(json.dumps(summary))
    ScanFactory(
        release=champion, state="succeeded", output=str(folder), rows=len(names),
        manifest=str(manifest.path), manifest_sha256=manifest.sha256,
    )  # fmt: skip


@pytest.mark.parametrize("guide", GUIDES)
def test_every_api_example_is_answered_as_the_guide_says(guide, world, people):
    client = APIClient()
    token = Token.objects.create(user=people["ml_engineer"])
    client.credentials(HTTP_AUTHORIZATION=f"Token {token.key}")
    asked = examples(guide)
    assert len(asked) > 15
    for example in asked:
        path, body = (_filled(text, world) for text in (example.path, example.body))
        if example.method == "GET":
            answer = client.get(path)
        else:
            answer = client.post(path, json.loads(body or "{}"), format="json")
        assert answer.status_code == example.status, (example, answer.content[:500])
        Round.objects.filter(state="running").update(state="done")  # the next may open one too


def _filled(text: str, values: dict) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def test_both_languages_have_the_same_examples():
    english, chinese = GUIDES
    assert [(one.method, one.path, one.status) for one in examples(english)] == [
        (one.method, one.path, one.status) for one in examples(chinese)
    ]
    assert list(commands(english)) == list(commands(chinese))


@pytest.mark.parametrize("guide", GUIDES)
def test_every_command_parses(guide):
    lines = list(commands(guide))
    assert len(lines) > 10
    for program, *arguments in lines:
        if program == "manage.py":
            name, *rest = arguments
            command = load_command_class(get_commands()[name], name)
            parsed = command.create_parser("manage.py", name).parse_args(rest)
        else:
            assert (program, arguments[:2]) == ("python", ["-m", "ml"])
            parsed = _parser().parse_args(arguments[2:])
        assert isinstance(parsed, argparse.Namespace)


@pytest.mark.parametrize("guide", GUIDES)
def test_every_dial_is_explained(guide):
    text = (DOCS / guide).read_text(encoding="utf-8")
    dials = {field.name for field in dataclasses.fields(classifier.Config)}
    dials |= {field.name for field in dataclasses.fields(variation.Config)}
    dials |= set(rounds.DEFAULT_CONFIG) | set(STRATEGIES) | {"seed", "train"}
    dials |= {"TRAIN_DEVICES", "CHILD_MEMORY_GB", "RESCAN_AFTER_PROMOTION", "TRAIN_PROCESSES"}
    missing = sorted(name for name in dials if f"`{name}`" not in text)
    assert not [name for name in missing if f"`{name}=" not in text]


@pytest.mark.parametrize("guide", GUIDES)
def test_every_picture_and_page_that_is_named_is_there(guide):
    text = (DOCS / guide).read_text(encoding="utf-8")
    for name in re.findall(r"\]\(((?!http)[^)#]+)\)", text):
        assert (DOCS / name).is_file(), name


def test_the_drawings_show_what_each_strategy_really_chooses():
    world = make_world()
    for ending, words in WORDS.items():
        drawn = draw(world, words)
        for name, drawing in drawn.items():
            assert (DOCS / "images" / f"{name}{ending}.svg").is_file()
            assert drawing.startswith("<svg") and drawing.endswith("</svg>\n")
        for strategy in STRATEGIES:
            assert f"{words[strategy]}  (30)" in drawn["dial-strategies"], strategy
