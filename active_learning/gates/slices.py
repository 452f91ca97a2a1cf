"""Parts of the test sets: a mean can rise while logos of one size, or smeared ones, are lost."""

from collections.abc import Mapping, Sequence
from typing import Any

from active_learning.gates.verdict import Verdict
from active_learning.sentences import Sentence, sentence

LEVEL = 0.05  # of all parts together, by Holm's rule


def none_worse(slices: Sequence[Mapping[str, Any]]) -> Verdict:
    """No part is worse beyond chance; the figures are of the clearest case.

    Args:
        slices: as of `ml.evaluate.gating.gate_changes`.
    """
    worst = min(slices, key=lambda line: line["p_adjusted"], default=None)
    if worst is None or worst["p_adjusted"] >= LEVEL:
        none = sentence(
            "parts of the test sets compared: %(count)s, none worse beyond chance",
            count=len(slices),
        )
        return Verdict("slices", True, none)
    reason = sentence(
        "worse beyond chance on %(worse)s of %(count)s parts of the test sets, above all for "
        "%(by)s %(of)s: recall %(own)s, the champion %(theirs)s, of %(n)s images "
        "(adjusted p %(p)s)",
        worse=sum(line["p_adjusted"] < LEVEL for line in slices),
        count=len(slices),
        by=_called(worst["by"]),
        of=str(worst["of"]),
        own=f"{worst['b']:.3f}",
        theirs=f"{worst['a']:.3f}",
        n=worst["n"],
        p=f"{worst['p_adjusted']:.4f}",
    )
    return Verdict("slices", False, reason)


def _called(by: str) -> Sentence:
    return {
        "has_logo": sentence("visible mark"),
        "logo_size": sentence("size of the mark"),
        "attack": sentence("attack"),
        "variation": sentence("arrangement"),
        "source": sentence("source"),
    }[by]
