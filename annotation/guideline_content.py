"""What a guideline says, as plain data. Whoever sends it — the editor, the API, a file — it is
read here, strictly, before any of it is written."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _

from annotation.models import Feature, GuidelineVersion

LONGEST_TEXT = 20_000  # characters
MOST_FEATURES = 40
MOST_EXAMPLES = 20  # a feature
MOST_REGIONS = 50  # an example
LARGEST_LOGO = 4096  # pixels
CORNERS = ("x1", "y1", "x2", "y2")
TEXTS = ("rules", "not_violations", "change_note")


class ContentError(Exception):
    """What is wrong with it, in words for whoever wrote it."""


@dataclass(frozen=True)
class ExampleDraft:
    """An example picture: its name in the default storage, size in pixels, and the red boxes
    {x1, y1, x2, y2} in pixels."""

    file: str
    width: int
    height: int
    regions: Sequence[dict[str, float]]


@dataclass(frozen=True)
class FeatureDraft:
    """One recognition point: `kind` is one of Feature.Kind."""

    kind: str
    text: str
    registered: bool
    examples: Sequence[ExampleDraft]


@dataclass(frozen=True)
class Content:
    """All that a version says. `rules` and `not_violations` are Markdown, `least_logo` the shorter
    side of the smallest logo that counts, in pixels."""

    rules: str = ""
    not_violations: str = ""
    least_logo: int | None = None
    change_note: str = ""
    features: Sequence[FeatureDraft] = ()


# Names of example pictures as sent, to the stored name and the size in pixels of each that is
# there.
Resolve = Callable[[Iterable[str]], Mapping[str, tuple[str, int, int]]]


def content_of(version: GuidelineVersion) -> Content:
    """What a version says; its features and their examples may have been fetched with it."""
    features = [
        FeatureDraft(
            kind=feature.kind,
            text=feature.text,
            registered=feature.registered,
            examples=[
                ExampleDraft(example.file, example.width, example.height, example.regions)
                for example in feature.examples.all()
            ],
        )
        for feature in version.features.all()
    ]
    return Content(
        rules=version.rules,
        not_violations=version.not_violations,
        least_logo=version.least_logo,
        change_note=version.change_note,
        features=features,
    )


def as_json(content: Content) -> dict[str, Any]:
    """As JSON takes it and `read_content` reads it."""
    return asdict(content)


def read_content(data: Any, *, resolve: Resolve) -> Content:
    """Check `{"rules", "not_violations", "least_logo", "change_note", "features": [{"kind", "text",
    "registered", "examples": [{"file", "regions": [{x1, y1, x2, y2}]}]}]}`; what is absent is
    empty. The size of a picture is what `resolve` says, whatever the sender does.

    Raises:
        ContentError: it is anything else, or names a picture that is not there.
    """
    if not isinstance(data, dict):
        raise ContentError(_("This is not a guideline."))
    features = _list(data.get("features", []), MOST_FEATURES, _("recognition points"))
    names = {
        example["file"]
        for feature in features
        if isinstance(feature, dict) and isinstance(feature.get("examples"), list)
        for example in feature["examples"]
        if isinstance(example, dict) and isinstance(example.get("file"), str)
    }
    pictures = resolve(names)
    texts = {name: _text(data.get(name, ""), name) for name in TEXTS}
    return Content(
        **texts,
        least_logo=_least_logo(data.get("least_logo")),
        features=[_feature(value, i, pictures) for i, value in enumerate(features, 1)],
    )


def _feature(value: Any, number: int, pictures: Mapping[str, tuple[str, int, int]]) -> FeatureDraft:
    where = _("recognition point %(number)d") % {"number": number}
    if not isinstance(value, dict):
        raise ContentError(_("%(where)s: not readable") % {"where": where})
    kind, registered = value.get("kind"), value.get("registered", False)
    if kind not in Feature.Kind.values:
        raise ContentError(
            _("%(where)s: no kind is called “%(kind)s”") % {"where": where, "kind": str(kind)[:40]}
        )
    if not isinstance(registered, bool):
        raise ContentError(_("%(where)s: registered is yes or no") % {"where": where})
    examples = _list(
        value.get("examples", []), MOST_EXAMPLES, _("%(where)s: examples") % {"where": where}
    )
    return FeatureDraft(
        kind=kind,
        text=_text(value.get("text", ""), where),
        registered=registered,
        examples=[_example(example, where, pictures) for example in examples],
    )


def _example(value: Any, where: str, pictures: Mapping[str, tuple[str, int, int]]) -> ExampleDraft:
    name = value.get("file") if isinstance(value, dict) else None
    if not isinstance(name, str) or name not in pictures:
        raise ContentError(
            _("%(where)s: there is no picture “%(name)s”")
            % {"where": where, "name": str(name)[:120]}
        )
    file, width, height = pictures[name]
    regions = _list(
        value.get("regions", []), MOST_REGIONS, _("%(where)s: regions") % {"where": where}
    )
    return ExampleDraft(
        file, width, height, [_region(region, where, width, height) for region in regions]
    )


def _region(value: Any, where: str, width: int, height: int) -> dict[str, float]:
    corners: list[Any] = [value.get(name) for name in CORNERS] if isinstance(value, dict) else []
    if not corners or not all(_is_number(corner) for corner in corners):
        raise ContentError(_("%(where)s: a region is x1, y1, x2, y2 in pixels") % {"where": where})
    x1, y1, x2, y2 = corners
    if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
        raise ContentError(
            _("%(where)s: a region leaves its picture of %(width)d × %(height)d pixels")
            % {"where": where, "width": width, "height": height}
        )
    return dict(zip(CORNERS, corners, strict=True))


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ContentError(_("%(where)s: not a text") % {"where": where})
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise ContentError(_("%(where)s: holds a character that cannot be kept") % {"where": where})
    if len(text) > LONGEST_TEXT:
        raise ContentError(
            _("%(where)s: longer than %(most)d characters") % {"where": where, "most": LONGEST_TEXT}
        )
    return text


def _least_logo(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST_LOGO:
        raise ContentError(
            _("the smallest logo is a whole number of pixels from 1 to %(most)d, or empty")
            % {"most": LARGEST_LOGO}
        )
    return value


def _list(value: Any, most: int, where: str) -> list:
    if not isinstance(value, list):
        raise ContentError(_("%(where)s: not a list") % {"where": where})
    if len(value) > most:
        raise ContentError(_("%(where)s: more than %(most)d") % {"where": where, "most": most})
    return value
