"""What characters of a title say for a brand: exact, and at the right places."""

import json

import numpy as np
import pytest

from ml import models
from ml.artifact import Artifact
from ml.bench.titles import draw_titles
from ml.errors import InputError
from ml.explain.titles import explain_titles
from ml.explain.titles_page import titles_page
from ml.models.text.features import ngram_spans, ngrams
from ml.progress import Progress
from ml.train import train

COUNTS = {"train": 300, "closed": 40} | dict.fromkeys(
    ("detection", "variation", "pool", "open", "business"), 0
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return draw_titles(brands=3, counts=COUNTS, seed=5, out=tmp_path_factory.mktemp("titles"))


@pytest.fixture(scope="module")
def text_model(world, tmp_path_factory) -> Artifact:
    return train(
        kind="text",
        manifest=world.manifest.path,
        out=tmp_path_factory.mktemp("text"),
        config={"epochs": 4, "least_steps": 30, "bits": 12, "batch_size": 64},
        init=None,
        progress=Progress(quiet=True),
        should_stop=lambda: False,
    )


def test_what_the_characters_say_adds_up_to_the_odds_the_model_gives(world, text_model):
    titles = ["", "?!", *world.manifest.rows("closed")["title"].to_pylist()]
    found = models.load(text_model).predict_titles(titles).probabilities
    reasons = explain_titles(text_model, titles)
    for title, row, why in zip(titles, found, reasons, strict=True):
        k = text_model.labels.index(why.label)
        assert k == row[:-1].argmax()
        odds = np.log(row[k] / row[-1]) * text_model.calibration["temperature"]
        assert why.log_odds == pytest.approx(odds, abs=1e-3)
        assert why.characters.shape == (len(title),)
        assert why.characters.sum() + why.rest == pytest.approx(odds, abs=1e-3)
    assert reasons[0].rest == pytest.approx(reasons[0].log_odds)


def test_ngrams_are_of_the_characters_they_are_said_to_be_of():
    orders = (2, 3, 4)
    spans, row = ngram_spans("abc", orders), ngrams(["abc"], bits=12, orders=orders)
    # With breaks ‹ and › around the text: ‹a ‹ab ‹abc, ab abc abc›, bc bc›, c›.
    assert spans == [(0, 1), (0, 2), (0, 3), (0, 2), (0, 3), (0, 3), (1, 3), (1, 3), (2, 3)]
    assert len(row.indices) == len(spans)
    for at, text in ((3, "ab"), (4, "abc"), (6, "bc")):  # those without a break stand elsewhere too
        assert row.indices[at] in ngrams([f"xx{text}yy"], bits=12, orders=orders).indices
        assert row.indices[at] not in ngrams(["xxyy"], bits=12, orders=orders).indices


@pytest.mark.parametrize("way", ["verbatim", "spelt", "spaced"])
def test_the_span_of_a_name_is_where_it_stands(way, world, text_model):
    listed = json.loads((world.manifest.path.parent / "brands.json").read_text())[0]
    key, name = listed["key"], listed["name_en"]
    written = {
        "verbatim": name,
        "spelt": name.replace("a", "а").replace("o", "о").replace("e", "е"),  # Cyrillic
        "spaced": ".".join(name),
    }[way]
    title = f"新款 {written} bag"
    (why,) = explain_titles(text_model, [title], key)
    span = max((s for s in why.spans if s.brand == key), key=lambda s: s.end - s.start)
    assert title[span.start : span.end] == span.written == written
    assert span.way == way
    inside = why.characters[span.start : span.end].mean()
    assert inside > why.characters[span.end :].mean()


def test_a_title_without_names_has_no_spans_and_an_unknown_brand_is_refused(text_model):
    (why,) = explain_titles(text_model, ["plain bag"], text_model.labels[0])
    assert why.spans == []
    with pytest.raises(InputError, match="does not know 'acme'"):
        explain_titles(text_model, ["bag"], "acme")


def test_the_page_escapes_titles_and_names_spans(text_model):
    titles = ["<b>bag</b>", ""]
    page = titles_page(titles, explain_titles(text_model, titles))
    assert "<b>" not in page
    assert page.count("No brand&#x27;s name was found.") == 2
