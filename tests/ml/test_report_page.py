"""The pages of reports and comparisons."""

import json
import re
from html.parser import HTMLParser

import pytest

from ml.evaluate.compare import compare_scores
from ml.evaluate.judging import judge
from ml.evaluate.pages.compare_page import compare_page
from ml.evaluate.pages.markup import Markup, join, tag
from ml.evaluate.pages.plot import percent
from ml.evaluate.pages.report_page import report_page
from ml.evaluate.report import build_report
from ml.evaluate.scored import Scored
from ml.evaluate.scores_file import read_scores, write_scores
from tests.ml.made_outcomes import BRANDS, made
from tests.ml.test_scan_and_evaluate import run

HOSTILE = '"><script>alert(1)</script>&'


class Balanced(HTMLParser):
    """Collects element names, and fails where one is not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, name, attrs):
        self.seen.add(name)
        if name != "meta":
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name


def checked(text: str) -> set[str]:
    parser = Balanced()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser.seen


def hostile_data() -> Scored:
    data, _ = made(attack=["smear", HOSTILE] * 160)
    brands = [HOSTILE if brand == "akira" else brand for brand in data.rows["brand"].to_pylist()]
    rows = data.rows.set_column(data.rows.schema.get_field_index("brand"), "brand", [brands])
    return Scored(rows, [HOSTILE, *BRANDS[1:]], data.scores)


def report_of(data: Scored) -> dict:
    thresholds, rows = judge("classifier", data, flag_ratio=None)
    return build_report("classifier", data, rows, thresholds)


def test_a_hostile_brand_name_is_only_text():
    page = report_page(report_of(hostile_data()))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert {"svg", "table", "style"} <= checked(page)


def test_a_hostile_brand_name_is_only_text_in_a_comparison(tmp_path):
    data = hostile_data()
    thresholds, rows = judge("classifier", data, flag_ratio=None)
    write_scores(tmp_path / "a.parquet", data, rows, kind="classifier", thresholds=thresholds)
    saved = read_scores(tmp_path / "a.parquet")
    page = compare_page(compare_scores(saved, saved))
    assert "<script" not in page
    assert {"svg", "table"} <= checked(page)


def test_a_page_is_one_file_that_asks_for_nothing():
    data, rows = made()
    page = report_page(build_report("classifier", data, rows, {"*": 0.5}))
    assert not re.search(r"https?:|src=|href=|url\(|@import|<link", page)
    assert "prefers-color-scheme: dark" in page


def test_what_was_not_measured_is_not_shown():
    data, rows = made(opened=0)
    page = report_page(build_report("classifier", data, rows, {"*": 0.5}))
    assert "closed mean recall" in page
    assert "Recall against flag ratio" not in page
    checked(page)
    data, rows = made(closed=0)
    page = report_page(build_report("classifier", data, rows, {"*": 0.5}))
    assert "Recall by brand" not in page
    checked(page)


def test_several_models_are_one_page():
    report = report_of(made()[0])
    page = report_page({"models": {"classifier": report, "detector": report | {"map50": 0.4}}})
    assert page.count("<article") == 2
    assert "mAP@0.5" in page


def test_markup_escapes_text_and_attributes_but_not_itself():
    assert tag("b", "<i>", Markup("<br>"), title='"') == '<b title="&quot;">&lt;i&gt;<br></b>'
    assert join(None, ["a", 1], 0.5) == "a10.5"


@pytest.mark.parametrize(
    ("value", "said"), [(1.0, "100%"), (0.05, "5%"), (0.001, "0.1%"), (0.0001, "0.01%")]
)
def test_ticks_have_as_many_digits_as_they_need(value, said):
    assert percent(value) == said


def test_the_commands_write_report_page_and_scores(small_world, small_classifier, tmp_path):
    report, page, scores = (tmp_path / "out" / name for name in ("r.json", "r.html", "s.parquet"))
    code = run(
        "evaluate", "--model", small_classifier.directory, "--manifest", small_world.path,
        "--json", report, "--html", page, "--scores", scores, "--flag-ratio", 0.2,
    )  # fmt: skip
    assert code == 0
    written = json.loads(report.read_text())
    assert written["scores"] == "s.parquet"
    assert written["manifest"] == small_world.sha256
    assert {"sweep", "fixed_thresholds", "confusion", "calibration"} <= set(written)
    checked(page.read_text())
    found, picture = tmp_path / "c.json", tmp_path / "c.html"
    assert run("compare", "--a", report, "--b", scores, "--json", found, "--html", picture) == 0
    assert json.loads(found.read_text())["closed"]["difference"] == 0
    checked(picture.read_text())
