"""What a release flags of the images that came in since it was made."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from active_learning.gates.verdict import Verdict
from active_learning.sentences import sentence

GATE = "shadow"


def fresh_flags(report: Mapping[str, Any]) -> Verdict:
    """The flag ratio on fresh images is not over the budget by more than chance: the lower end of
    its interval is not. Too few images say nothing, which is not enough to pass.

    Args:
        report: as of `active_learning.shadow_figures.measure`, or `{"error"}` where the images
            could not be scanned.
    """
    if "error" in report:
        text = sentence("the fresh images could not be scanned: %(error)s", error=report["error"])
        return Verdict(GATE, False, text)
    figures: dict[str, str | int] = {
        "groups": report["groups"],
        "least": settings.SHADOW_LEAST_IMAGES,
        "own": _ratio(report, "challenger"),
        "theirs": _ratio(report, "champion"),
    }
    if report["groups"] < settings.SHADOW_LEAST_IMAGES:
        return Verdict(GATE, False, sentence(
            "only %(groups)s fresh images came in while it was in shadow, at least %(least)s are "
            "asked for: flag ratio %(own)s, the champion %(theirs)s", **figures,
        ))  # fmt: skip
    low, high = report["difference"]["interval"]
    reason = sentence(
        "flag ratio %(own)s of %(n)s fresh images, at least %(low)s, the champion %(theirs)s on "
        "the same images (difference [%(from)s, %(to)s]), budget %(budget)s",
        n=report["n"],
        low=f"{report['challenger']['low']:.2%}",
        budget=f"{settings.FLAG_RATIO_BUDGET:.2%}",
        **figures,
        **{"from": f"{low:+.2%}", "to": f"{high:+.2%}"},
    )
    return Verdict(GATE, report["challenger"]["low"] <= settings.FLAG_RATIO_BUDGET, reason)


def _ratio(report: Mapping[str, Any], side: str) -> str:
    return f"{report[side]['value']:.2%}" if side in report else "–"
