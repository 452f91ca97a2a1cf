"""Guidelines as labelers see them beside a task: rules and recognition points of the brands it
offers, with red-boxed examples."""

import logging
from collections.abc import Iterable
from html import escape

import nh3
from django.db.models import Prefetch
from markdown_it import MarkdownIt

from annotation.files import absolute_url, boxed_picture
from annotation.models import Brand, Feature, FeatureExample, GuidelineVersion

SHOWN_BRANDS = 5  # more than a person reads
SHOWN_EXAMPLES = 2  # a recognition point

logger = logging.getLogger(__name__)
ARRANGEMENTS = (
    "<p><b>One picture</b>: a single photo, however many goods are in it.</p>"
    "<p><b>Collage</b>: several photos put side by side, with edges or gaps between them.</p>"
    "<p><b>Stack</b>: many of one product piled, fanned or lined up.</p>"
)
_markdown = MarkdownIt("commonmark", {"html": False})
TAGS = {"p", "ul", "ol", "li", "strong", "em", "code", "blockquote", "h3", "h4", "br", "hr", "a"}


def published(*, brand_ids: Iterable[int]) -> dict[int, GuidelineVersion]:
    """The published guideline of each brand that has one, with its features and examples."""
    features = Prefetch("features", Feature.objects.prefetch_related("examples"))
    versions = GuidelineVersion.objects.filter(
        brand_id__in=set(brand_ids), state=GuidelineVersion.State.PUBLISHED
    )
    versions = versions.select_related("brand").prefetch_related(features)
    return {version.brand_id: version for version in versions}


def render(*, versions: Iterable[GuidelineVersion]) -> str:
    """HTML of the given guidelines, in their order."""
    sections = [_section(version) for version in versions]
    return "".join(sections) or '<p class="quiet">No guideline is published for these brands.</p>'


def note(text: str) -> str:
    """What operations staff wrote to the one labeler a task went back to; a blank without it."""
    return f"<blockquote>{markdown(text)}</blockquote>" if text else "\u00a0"


def brand_title(brand: Brand) -> str:
    return f"{brand.name_en} {brand.name_zh}".strip()


def _section(version: GuidelineVersion) -> str:
    features = "".join(_feature(feature) for feature in version.features.all())
    least = (
        f"<p>A logo smaller than {version.least_logo} pixels does not count.</p>"
        if version.least_logo
        else ""
    )
    harmless = (
        f'<div class="harmless"><h4>Not a violation</h4>{markdown(version.not_violations)}</div>'
        if version.not_violations
        else ""
    )
    return (
        f'<section class="brand"><h3>{escape(brand_title(version.brand))}</h3>'
        f'<div class="rules">{markdown(version.rules)}{least}</div>{harmless}{features}</section>'
    )


def _feature(feature: Feature) -> str:
    pictures = "".join(_picture(example) for example in feature.examples.all()[:SHOWN_EXAMPLES])
    return (
        f'<div class="point"><p><b>{escape(feature.get_kind_display())}</b> '
        f"{'® ' if feature.registered else ''}{escape(feature.text)}</p>{pictures}</div>"
    )


def _picture(example: FeatureExample) -> str:
    try:
        name = boxed_picture(file=example.file, regions=example.regions)
    except FileNotFoundError:
        # One lost picture must not keep every task of the brand from being asked.
        logger.warning("example picture %s is missing from the storage", example.file)
        return ""
    return f'<img src="{escape(absolute_url(name=name))}" alt="">'


def markdown(text: str) -> str:
    """Markdown as HTML that is safe in anybody's page: raw HTML is shown as text, and what is
    left passes a whitelist."""
    return nh3.clean(_markdown.render(text), tags=TAGS)
