"""What a cold start came to: for a terminal, and as JSON."""

from dataclasses import asdict
from typing import Any

from active_learning.loop import round_report
from active_learning.measures import Figure
from active_learning.models import ColdStart
from active_learning.selectors.coldstarts import Standing, standings
from active_learning.sentences import in_words


def account(cold_start: ColdStart) -> dict[str, Any]:
    """The machine-readable account: `{"brand", "state", "error", "config", "standings", "rounds"}`.
    A standing is `{"round", "release", "state", "answers", "lines", "probes"}`, a line
    `{"threshold", "recall", "precision", "flag_ratio", "missing"}`; a figure
    `{"value", "low", "high", "n"}`, or null with the reason in `missing`."""
    return {
        "brand": cold_start.brand.key,
        "state": cold_start.state,
        "error": cold_start.error,
        "config": cold_start.config | {"rounds": cold_start.rounds_wanted},
        "standings": [_as_json(row) for row in standings(cold_start=cold_start)],
        "rounds": [round_report(round_) for round_ in cold_start.rounds.order_by("number")],
    }


def _as_json(row: Standing) -> dict[str, Any]:
    return {
        "round": row.round.number if row.round else None,
        "release": row.release.number,
        "state": row.release.state,
        "answers": row.answers,
        "lines": [
            asdict(line) | {"missing": [in_words(reason) for reason in line.missing]}
            for line in row.lines
        ],
        "probes": row.probes.as_json() if row.probes else None,
    }


def table(rows: list[Standing]) -> str:
    """One line a release and threshold; what is missing is named below them."""
    lines = [
        f"{'round':>6} {'release':>8} {'answers':>8} {'score':>6} {'closed recall':>20} "
        f"{'precision of flags':>20} {'open flag ratio':>24}"
    ]
    missing: dict[str, None] = {}
    for row in rows:
        for line in row.lines:
            lines.append(
                f"{row.round.number if row.round else 'before':>6} {row.release.number:>8} "
                f"{'–' if row.answers is None else row.answers:>8} {line.threshold:>6} "
                f"{_figure(line.recall):>20} {_figure(line.precision):>20} "
                f"{_figure(line.flag_ratio, percent=True):>24}"
            )
            for reason in line.missing:
                missing[f"  at {line.threshold}: {in_words(reason)}"] = None
    return "\n".join([*lines, *missing])


def _figure(figure: Figure | None, *, percent: bool = False) -> str:
    if figure is None:
        return "–"
    digits = ".2%" if percent else ".2f"
    return f"{figure.value:{digits}} [{figure.low:{digits}}, {figure.high:{digits}}]"
