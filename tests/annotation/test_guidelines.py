"""The life of a guideline: draft, review, published, retired; who saved what over whom."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from annotation.guideline_content import (
    Content,
    ContentError,
    ExampleDraft,
    FeatureDraft,
    as_json,
    content_of,
    read_content,
)
from annotation.guidelines import (
    DraftConflict,
    GuidelineError,
    begin_draft,
    discard_draft,
    draft_guideline,
    publish_guideline,
    retire_guideline,
    return_guideline,
    save_draft,
    submit_guideline,
)
from annotation.labelstudio.guideline import markdown, render
from annotation.models import AuditEntry, Feature, GuidelineVersion
from annotation.selectors import guidelines as selectors
from tests.factories import BrandFactory, ImageFactory

pytestmark = pytest.mark.django_db

REGION = {"x1": 10, "y1": 20, "x2": 30.5, "y2": 40}
FEATURES = [
    FeatureDraft("logo", "three stripes", True, [ExampleDraft("a.png", 96, 96, [REGION])]),
    FeatureDraft("style", "旧化处理", False, []),
]


@pytest.fixture
def brand():
    return BrandFactory()


@pytest.fixture
def editor(django_user_model):
    return django_user_model.objects.create_user("ed")


@pytest.fixture
def draft(brand, editor):
    return draft_guideline(brand=brand, rules="Look.", features=FEATURES, by=editor)


def actions() -> list[str]:
    entries = AuditEntry.objects.filter(subject_type="guidelineversion")
    return list(entries.order_by("pk").values_list("action", flat=True))


def test_a_draft_goes_through_review_and_back_and_is_published(draft, editor):
    assert submit_guideline(version=draft, by=editor).state == "review"
    assert draft.submitted_by == editor
    assert return_guideline(version=draft, by=editor, why="no picture").state == "draft"
    submit_guideline(version=draft, by=editor)
    published = publish_guideline(version=draft, by=editor)
    assert (published.state, published.published_by) == ("published", editor)
    assert actions() == ["draft", "submit", "return", "submit", "publish"]
    last = AuditEntry.objects.latest("pk")
    assert (last.before, last.after, last.by) == (
        {"state": "review"},
        {"state": "published"},
        editor,
    )
    assert AuditEntry.objects.get(action="return").why == "no picture"


def test_publishing_the_next_retires_the_one_before_and_says_so(draft, editor, brand):
    publish_guideline(version=draft, by=editor)
    following = begin_draft(brand=brand, by=editor)
    publish_guideline(version=following, by=editor)
    draft.refresh_from_db()
    assert draft.state == "retired"
    assert actions() == ["draft", "publish", "draft", "retire", "publish"]


@pytest.mark.parametrize("state", ["review", "published", "retired"])
def test_moves_that_its_life_does_not_know_are_refused_and_change_nothing(draft, editor, state):
    submit_guideline(version=draft, by=editor)
    if state != "review":
        publish_guideline(version=draft, by=editor)
    if state == "retired":
        retire_guideline(version=draft, by=editor, why="gone")
    forbidden = {
        "review": [submit_guideline, retire_guideline],
        "published": [submit_guideline, return_guideline, publish_guideline],
        "retired": [submit_guideline, return_guideline, publish_guideline, retire_guideline],
    }[state]
    before = actions()
    for move in forbidden:
        details = {"why": "x"} if move is retire_guideline else {}
        with pytest.raises(GuidelineError, match=r"is .*, not a "):
            move(version=draft, by=editor, **details)
    with pytest.raises(GuidelineError, match="not a draft"):
        discard_draft(version=draft, by=editor)
    with pytest.raises(GuidelineError, match="no longer a draft"):
        save_draft(version=draft, content=Content("new"), seen=draft.edited_at, by=editor)
    draft.refresh_from_db()
    assert (draft.state, draft.rules, actions()) == (state, "Look.", before)


def test_nothing_written_is_nothing_to_review(brand, editor):
    empty = begin_draft(brand=brand, by=editor)
    with pytest.raises(GuidelineError, match="Nothing is written"):
        submit_guideline(version=empty, by=editor)


@pytest.mark.parametrize("state", ["review", "published", "retired"])
def test_the_database_holds_what_is_not_a_draft(draft, editor, state):
    submit_guideline(version=draft, by=editor)
    if state != "review":
        publish_guideline(version=draft, by=editor)
    if state == "retired":
        retire_guideline(version=draft, by=editor, why="gone")
    feature = draft.features.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        Feature.objects.filter(pk=feature.pk).update(text="other")
    with pytest.raises(IntegrityError), transaction.atomic():
        feature.examples.all().delete()
    if state != "review":
        with pytest.raises(IntegrityError), transaction.atomic():
            GuidelineVersion.objects.filter(pk=draft.pk).update(not_violations="other")


def test_a_draft_begins_as_a_copy_of_what_is_published(draft, editor, brand):
    save_draft(
        version=draft,
        content=Content("Look.", "plain stripes", 12, "the first", FEATURES),
        seen=draft.edited_at,
        by=editor,
    )
    publish_guideline(version=draft, by=editor)
    copy = begin_draft(brand=brand, by=editor)
    assert copy.number == 2
    assert content_of(copy) == Content("Look.", "plain stripes", 12, "", FEATURES)
    with pytest.raises(GuidelineError, match="v2 is not published yet"):
        begin_draft(brand=brand, by=editor)
    discard_draft(version=copy, by=editor)
    assert AuditEntry.objects.latest("pk").before["rules"] == "Look."
    assert begin_draft(brand=brand, by=editor).number == 2


def test_saving_replaces_what_it_says_and_notes_only_what_changed(draft, editor):
    features = [FEATURES[1], FEATURES[0]]
    saved = save_draft(
        version=draft, content=Content("New.", features=features), seen=draft.edited_at, by=editor
    )
    assert content_of(saved) == Content("New.", features=features)
    assert saved.edited_at > draft.edited_at
    entry = AuditEntry.objects.latest("pk")
    assert entry.action == "edit"
    assert set(entry.before) == set(entry.after) == {"rules", "features"}
    # The same again is no change.
    again = save_draft(version=saved, content=content_of(saved), seen=saved.edited_at, by=editor)
    assert again.edited_at == saved.edited_at
    assert AuditEntry.objects.latest("pk") == entry


def test_the_slower_of_two_editors_is_told_who_was_faster(draft, editor, django_user_model):
    other = django_user_model.objects.create_user("olga")
    seen = draft.edited_at
    save_draft(version=draft, content=Content("hers"), seen=seen, by=other)
    with pytest.raises(DraftConflict, match="olga saved this draft meanwhile"):
        save_draft(version=draft, content=Content("mine"), seen=seen, by=editor)
    with pytest.raises(DraftConflict):
        save_draft(version=draft, content=Content("mine"), seen=seen + timedelta(1), by=editor)
    draft.refresh_from_db()
    assert draft.rules == "hers"


def sizes(names):
    return {name: (name, 96, 96) for name in names if name == "a.png"}


def test_what_a_version_says_is_read_back_the_same():
    content = Content("Look.", "mass styles", 12, "new", FEATURES)
    assert read_content(as_json(content), resolve=sizes) == content
    assert read_content({}, resolve=sizes) == Content(features=[])


def with_region(**region) -> dict:
    example = {"file": "a.png", "regions": [REGION | region]}
    return {"features": [{"kind": "logo", "examples": [example]}]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "not a guideline"),
        ({"rules": 3}, "rules: not a text"),
        ({"rules": "x" * 20_001}, "longer than"),
        ({"rules": "a\0b"}, "cannot be kept"),
        ({"least_logo": 0}, "whole number of pixels"),
        ({"least_logo": True}, "whole number of pixels"),
        ({"least_logo": "12"}, "whole number of pixels"),
        ({"features": {}}, "not a list"),
        ({"features": [{"kind": "logo"}] * 41}, "more than 40"),
        ({"features": [7]}, "recognition point 1: not readable"),
        ({"features": [{"kind": "smell"}]}, "no kind is called “smell”"),
        ({"features": [{"kind": ["logo"]}]}, "no kind is called"),
        ({"features": [{"kind": "logo", "registered": "yes"}]}, "registered is yes or no"),
        ({"features": [{"kind": "logo", "examples": [{"file": "b.png"}]}]}, "no picture “b.png”"),
        ({"features": [{"kind": "logo", "examples": [{"file": ["a"]}]}]}, "no picture"),
        ({"features": [{"kind": "logo", "examples": "a.png"}]}, "not a list"),
        (with_region(x2=97), "leaves its picture of 96 × 96"),
        (with_region(x1=-1), "leaves its picture"),
        (with_region(x1=31), "leaves its picture"),
        (with_region(x1=float("nan")), "in pixels"),
        (with_region(x2=10**400), "leaves its picture"),
        (with_region(y1="20"), "in pixels"),
        (with_region(y1=None), "in pixels"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(data, said):
    with pytest.raises(ContentError, match=said):
        read_content(data, resolve=sizes)


def test_only_pictures_meant_for_it_can_be_examples(draft):
    pool = ImageFactory(split="pool")
    test = ImageFactory(split="closed")
    found = selectors.pictures(
        ["a.png", pool.file, test.file, "guidelines/../secrets.json", "guidelines/none.png", ""]
    )
    assert found == {"a.png": ("a.png", 96, 96), pool.file: (pool.file, 96, 96)}


MALICIOUS = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "[press](javascript:alert(1))",
    "[press](JaVaScRiPt&#58;alert(1))",
    "[press](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![x](javascript:alert(1))",
    '<svg onload="alert(1)"><a href="javascript:alert(1)">x</a></svg>',
    '<a href="x" onclick="alert(1)">x</a>',
    "<iframe src=//evil.example></iframe>",
    "<style>body{display:none}</style>",
    "`</code><script>alert(1)</script>`",
    "[x]: javascript:alert(1)\n\n[x]",
    '<https://a.example/" onmouseover="alert(1)>',
]


@pytest.mark.parametrize("text", MALICIOUS)
def test_malicious_markdown_is_harmless(text, brand, editor):
    import html.parser

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert tag not in ("script", "style", "iframe", "svg", "object", "embed", "form"), text
            for name, value in attrs:
                assert not name.startswith("on"), text
                assert name != "style", text
                assert not (value or "").lower().strip().startswith(("javascript", "data")), text

    version = draft_guideline(
        brand=brand,
        rules=text,
        not_violations=text,
        features=[FeatureDraft("logo", text, True, [])],
        by=editor,
    )
    for drawn in (markdown(text), render(versions=[version])):
        Reader(convert_charrefs=True).feed(drawn)
