"""Cases as labelers see them beside a task: the nearest precedents, each with its verdict and the
reason for it."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from annotation.files import absolute_url, boxed_picture
from annotation.labelstudio.guideline import brand_title
from annotation.models import Case
from annotation.selectors.cases import nearest_cases_of

SHOWN = 3
REASON = 160  # characters; the whole of it stands in the case library

logger = logging.getLogger(__name__)


def nearest(*, image_ids: Iterable[int]) -> Mapping[int, Sequence[Case]]:
    """The active cases nearest to each image, none of the image's own group: those would tell
    the answer of a gold or test item."""
    found = nearest_cases_of(image_ids=sorted(image_ids), limit=SHOWN)
    return {image: [case for case, _similarity in cases] for image, cases in found.items()}


def render(*, cases: Sequence[Case]) -> str:
    """HTML of cases, nearest first; a blank where there are none."""
    figures = "".join(_figure(case) for case in cases)
    return f'<div class="cases">{figures}</div>' if figures else "\u00a0"


def _figure(case: Case) -> str:
    verdict = case.get_verdict_display()
    if case.brand is not None:
        title = escape(brand_title(case.brand))
        verdict = title if case.verdict == Case.Verdict.BRAND else f"{verdict} ({title}?)"
    else:
        verdict = escape(verdict)
    reason = case.reason if len(case.reason) <= REASON else case.reason[: REASON - 1] + "…"
    return (
        f"<figure>{_picture(case)}<figcaption><b>{verdict}</b><br>{escape(reason)}<br>"
        f'<span class="quiet">{escape(case.get_kind_display())}</span></figcaption></figure>'
    )


def _picture(case: Case) -> str:
    try:
        name = boxed_picture(file=case.image.file, regions=[case.region] if case.region else [])
    except FileNotFoundError:
        logger.warning("the picture %s of %s is missing from the storage", case.image.file, case)
        return ""
    return f'<img src="{escape(absolute_url(name=name))}" alt="">'
