"""What a model may cost: flags that people look at, megabytes, and time."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from active_learning.gates.verdict import Verdict
from active_learning.sentences import sentence

FLAG_TOLERANCE = 1.2  # times the budget
Z = 2.0  # standard errors


def flag_ratio(report: Mapping, champion: Mapping | None) -> Verdict:
    """The open flag ratio is within the budget, or no higher than the champion's."""
    opened = report.get("open")
    if opened is None:
        return Verdict("flags", True, sentence("no open-set flag ratio was measured"))
    own, rows = f"{opened['flag_ratio']:.2%}", opened["n"]
    if champion is None:
        text = sentence("open flag ratio %(own)s of %(rows)s", own=own, rows=rows)
        return Verdict("flags", True, text)
    limit = flag_limit(rows=rows)
    theirs = champion.get("open", {}).get("flag_ratio")
    reason = sentence(
        "open flag ratio %(own)s of %(rows)s, the champion %(theirs)s, limit %(limit)s for a "
        "budget of %(budget)s",
        own=own,
        rows=rows,
        theirs="–" if theirs is None else f"{theirs:.2%}",
        limit=f"{limit:.2%}",
        budget=f"{settings.FLAG_RATIO_BUDGET:.2%}",
    )
    return Verdict("flags", opened["flag_ratio"] <= max(limit, theirs or 0.0), reason)


def flag_limit(*, rows: int) -> float:
    """The flag ratio on `rows` open images above which the budget counts as overdrawn. Threshold
    and ratio come from one half of the open set each, so chance enters twice."""
    budget = settings.FLAG_RATIO_BUDGET
    noise = math.sqrt(2 * budget * (1 - budget) / max(rows, 1))
    return FLAG_TOLERANCE * budget + Z * noise


def costs(report: Mapping[str, Any], champion: Mapping[str, Any] | None) -> Iterator[Verdict]:
    """Size and speed, where they were measured."""
    if "megabytes" in report:
        yield size(report["megabytes"], (champion or {}).get("megabytes"), first=champion is None)
    if "milliseconds" in report:
        theirs = (champion or {}).get("milliseconds")
        yield speed(report["milliseconds"], theirs, first=champion is None)


def size(own: float, theirs: float | None, *, first: bool) -> Verdict:
    """Megabytes on a disk."""
    limit = _limit(settings.GATE_MEGABYTES, theirs)
    reason = sentence("%(own)s MB, limit %(limit)s MB", own=f"{own:.1f}", limit=f"{limit:.1f}")
    return Verdict("size", first or own <= limit, reason)


def speed(own: float, theirs: float | None, *, first: bool) -> Verdict:
    """Milliseconds an image, on one thread."""
    limit = _limit(settings.GATE_MILLISECONDS, theirs)
    reason = sentence(
        "%(own)s ms an image, limit %(limit)s ms", own=f"{own:.1f}", limit=f"{limit:.1f}"
    )
    return Verdict("speed", first or own <= limit, reason)


def _limit(budget: float, theirs: float | None) -> float:
    """The budget, or so many times what the champion takes, whichever is less. What is below a
    tenth of the budget is cheap, whatever the champion takes: of small figures the machine's other
    work makes multiples."""
    if theirs is None:
        return budget
    return min(budget, max(settings.GATE_GROWTH * theirs, budget / 10))
