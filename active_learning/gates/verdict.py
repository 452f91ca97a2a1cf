"""What a gate says, as data and in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from active_learning.models import ModelKind
from active_learning.sentences import Sentence, in_words, sentence

# Told in one line of history only where they were not met.
QUIET = ("items", "protected", "slices", "size", "speed", "leakage")


@dataclass(frozen=True)
class Verdict:
    """One gate's word. `gate` names it in the history for ever."""

    gate: str
    passed: bool
    reason: Sentence

    def as_json(self) -> dict[str, Any]:
        return self.reason | {"gate": self.gate, "met": self.passed}


def joined(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """`{"passed", "reasons"}` of one model: it passes where every gate was."""
    said = list(verdicts)
    return {
        "passed": all(verdict.passed for verdict in said),
        "reasons": [verdict.as_json() for verdict in said],
    }


def reason_in_words(reason: Mapping[str, Any]) -> str:
    """In the language that is active."""
    text = in_words(reason)
    return text if reason["met"] else _("not met: %(text)s") % {"text": text}


def reasons_in_words(verdict: Mapping[str, Any]) -> list[str]:
    """The reasons of a model's verdict, in the language that is active."""
    return [reason_in_words(reason) for reason in verdict.get("reasons", ())]


def brief_in_words(verdict: Mapping[str, Any]) -> list[str]:
    """As `reasons_in_words`, without what is worth a word only where it was not met."""
    return [
        reason_in_words(reason)
        for reason in verdict.get("reasons", ())
        if not (reason["met"] and reason.get("gate") in QUIET)
    ]


def verdict_in_words(gate: Mapping[str, Mapping[str, Any]]) -> str:
    """What the gates said of every model, in one line."""
    said = []
    # The database keeps keys in an order of its own.
    for kind in (kind for kind in ModelKind.values if kind in gate):
        verdict = gate[kind]
        text = _("%(model)s passed (%(reasons)s)")
        if not verdict["passed"]:
            text = _("%(model)s did not pass (%(reasons)s)")
        reasons = ", ".join(brief_in_words(verdict))
        said.append(text % {"model": _(kind), "reasons": reasons})
    return "; ".join(said)


def unmet(gate: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What stands against a release: `[{"model", "gate", "text", "values"}]`, every gate that one
    of its models did not pass. A release that was never judged has that against it."""
    if not gate:
        return [{"model": "", "gate": "unjudged"} | sentence("no gate has judged it")]
    return [
        {"model": kind, "gate": reason.get("gate", "")}
        | {name: reason[name] for name in ("text", "values")}
        for kind, verdict in sorted(gate.items())
        for reason in verdict["reasons"]
        if not reason["met"]
    ]


def unmet_in_words(against: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each of `unmet`, with its model."""
    said = []
    for one in against:
        kind, text = one["model"], in_words(one)
        said.append(_("%(model)s: %(text)s") % {"model": _(kind), "text": text} if kind else text)
    return said
