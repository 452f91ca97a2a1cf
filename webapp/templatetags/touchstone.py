"""What recurs on pages: states, times, figures, little charts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import template
from django.template.defaultfilters import date as format_date
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from active_learning.gates import brief_in_words, reasons_in_words, unmet_in_words, verdict_in_words
from active_learning.measures import Figure
from active_learning.selectors.job_queue import QUEUE_NAMES
from active_learning.sentences import in_words
from annotation.files import signed_url
from webapp.words import STAGES, STATES, WORDS

register = template.Library()

UNITS = (
    (86400, gettext_lazy("%(n)d d")),
    (3600, gettext_lazy("%(n)d h")),
    (60, gettext_lazy("%(n)d min")),
    (1, gettext_lazy("%(n)d s")),
)


@register.filter
def stage(value: str) -> str:
    """What a job is doing, as pages call it; its own words where they have none for it."""
    return str(STAGES.get(value, value))


@register.filter
def word(value: Any) -> str:
    """A choice's value as pages call it."""
    return str(WORDS.get(str(value), value))


@register.filter
def queue(name: str) -> str:
    """A workers' queue as pages call it."""
    return str(QUEUE_NAMES.get(name, name))


@register.inclusion_tag("partials/state_chip.html")
def chip(state: str) -> dict[str, Any]:
    tone, sign, text = STATES.get(state, ("grey", "·", state))
    return {"tone": tone, "sign": sign, "text": text}


@register.simple_tag
def ago(value: datetime | None) -> str:
    """How long ago, with the exact time on hover."""
    if value is None:
        return "–"
    text = elapsed(value)
    exact = format_date(timezone.localtime(value), "Y-m-d H:i:s T")
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact, text)


def elapsed(value: datetime) -> str:
    """How long ago, in words alone."""
    seconds = (timezone.now() - value).total_seconds()
    return _("now") if seconds < 1 else _("%(span)s ago") % {"span": span(seconds)}


@register.simple_tag
def took(start: datetime | None, end: datetime | None) -> str:
    """How long something took, or has been taking."""
    if start is None:
        return "–"
    return span(((end or timezone.now()) - start).total_seconds())


@register.simple_tag
def duration(seconds: float | None) -> str:
    """A length of time in words; a dash for nothing."""
    return "–" if seconds is None else span(seconds)


def span(seconds: float) -> str:
    """A duration in its largest unit; two units below a day's worth of the larger."""
    seconds = max(0, int(seconds))
    for position, (size, unit) in enumerate(UNITS):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            words = unit % {"n": whole}
            if whole < 10 and position + 1 < len(UNITS):
                smaller, name = UNITS[position + 1]
                if rest // smaller:
                    return f"{words} {name % {'n': rest // smaller}}"
            return words
    return UNITS[-1][1] % {"n": 0}


@register.simple_tag
def figure(value: Figure | float | None, percent: bool = False) -> str:
    """`0.62 ±0.03`, the exact interval on hover; a dash for nothing."""
    if value is None:
        return "–"
    if not isinstance(value, Figure):
        return f"{100 * value:.2f}%" if percent else f"{value:.3f}"
    scale, digits, sign = (100, 2, "%") if percent else (1, 2, "")
    if value.n is None:
        return f"{scale * value.value:.{digits}f}{sign}"
    title = _("95%% interval %(low)s to %(high)s, of %(n)d") % {
        "low": f"{scale * value.low:.{digits}f}{sign}",
        "high": f"{scale * value.high:.{digits}f}{sign}",
        "n": value.n,
    }
    return format_html(
        '<span class="figure" title="{}">{} <small>±{}</small></span>',
        title,
        f"{scale * value.value:.{digits}f}{sign}",
        f"{scale * value.half:.{digits}f}",
    )


CHANGES = {
    "same": gettext_lazy("the same picture"),
    "cropped": gettext_lazy("cropped"),
    "resized": gettext_lazy("resized"),
    "recoloured": gettext_lazy("recoloured"),
    "mirrored": gettext_lazy("mirrored"),
    "bordered": gettext_lazy("bordered"),
}


@register.simple_tag
def changes(names: str) -> str:
    """What was done to a copied picture, in words."""
    return ", ".join(str(CHANGES.get(name, name)) for name in names.split(","))


@register.simple_tag
def per_thousand(found: Any) -> str:
    """Risks found in 1,000 looks, with their interval; a dash where nobody looked."""
    rate = found.per_thousand
    if rate is None:
        return "–"
    title = _("95%% interval %(low)s to %(high)s, of %(n)d") % {
        "low": f"{rate.low:.0f}",
        "high": f"{rate.high:.0f}",
        "n": rate.n,
    }
    return format_html(
        '<span class="figure" title="{}">{} <small>±{}</small></span>',
        title,
        f"{rate.value:.0f}",
        f"{rate.half:.0f}",
    )


@register.simple_tag
def change(value: float | str | None) -> str:
    """A difference with its sign; worse and better also by tone. Templates give "" for what is
    not there."""
    if not isinstance(value, float):
        return "–"
    tone = "worse" if value < -0.005 else "better" if value > 0.005 else "same"
    return format_html('<span class="change {}">{}</span>', tone, f"{value:+.2f}")


@register.simple_tag
def middle(text: str, length: int = 28) -> str:
    """A long name cut in the middle, whole on hover."""
    text = str(text)
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    tail = length - 1 - head
    return format_html('<span title="{}">{}…{}</span>', text, text[:head], text[-tail:])


@register.filter
def address(name: str) -> str:
    """Where a stored picture is served."""
    return signed_url(name=name)


@register.simple_tag
def box_geometry(box: dict) -> str:
    """A box's corners as the attributes of an SVG rectangle."""
    x, y = float(box["x1"]), float(box["y1"])
    width, height = float(box["x2"]) - x, float(box["y2"]) - y
    return format_html(
        'x="{}" y="{}" width="{}" height="{}"',
        *(f"{length:.1f}" for length in (x, y, width, height)),
    )


register.filter("sentence", in_words)
register.filter("reasons", reasons_in_words)
register.filter("brief", brief_in_words)
register.filter("verdict", verdict_in_words)
register.filter("against", unmet_in_words)


@register.filter
def percent(value: float) -> str:
    return f"{100 * value:.0f}%"


@register.filter
def signed(value: float) -> str:
    """A difference with its sign, exactly enough to see an interval."""
    return f"{value:+.3f}"


@register.inclusion_tag("partials/sparkline.html")
def sparkline(
    points: Sequence[tuple[str, Any]], label: str = "", limit: float | None = None
) -> dict:
    """A trend 140 × 32 of (name, value or Figure); `limit` is drawn as a line across."""
    values = [getattr(value, "value", value) for _name, value in points]
    low, high = _bounds([*values, *([] if limit is None else [limit])])
    x_of = _scale(0, max(1, len(values) - 1), 4, 136)
    y_of = _scale(low, high, 28, 4)
    places = [(x_of(i), y_of(value)) for i, value in enumerate(values)]
    return {
        "label": label,
        "line": " ".join(f"{x:.1f},{y:.1f}" for x, y in places),
        "last": places[-1] if places else None,
        "limit": None if limit is None else y_of(limit),
        "names": " → ".join(
            f"{name}: {value:.3f}" for (name, _), value in zip(points, values, strict=True)
        ),
    }


@register.inclusion_tag("partials/curve.html")
def curve_chart(curve: Any) -> dict:
    """One metric over time, 320 × 120."""
    values = [value for _seconds, value in curve.points]
    low, high = _bounds(values)
    start, end = curve.points[0][0], curve.points[-1][0]
    x_of, y_of = _scale(start, end, 44, 314), _scale(low, high, 96, 10)
    return {
        "name": curve.name,
        "line": " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in curve.points),
        "low": f"{low:.3g}",
        "high": f"{high:.3g}",
        "last": f"{curve.last:.4g}",
        "span": span(end - start),
    }


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _scale(low: float, high: float, start: float, end: float):
    width = (high - low) or 1
    return lambda value: start + (value - low) / width * (end - start)


@register.inclusion_tag("partials/sort_header.html", takes_context=True)
def sort_header(context: template.Context, name: str, text: str, default: str = "") -> dict:
    """A column's head that sorts by it, and the other way when it already does."""
    current = context["request"].GET.get("sort", default)
    return {
        "request": context["request"],
        "text": text,
        "next": f"-{name}" if current == name else name,
        "direction": {name: "ascending", f"-{name}": "descending"}.get(current, ""),
    }


@register.filter
def get(mapping: dict, key: str) -> Any:
    return mapping.get(key)
