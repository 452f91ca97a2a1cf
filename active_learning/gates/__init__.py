"""The gates: what a candidate's models reached against what the champion's did, on the same frozen
test sets. Each is a pure function of figures that says pass or fail, with them."""

from active_learning.gates.contest import Contest, judge
from active_learning.gates.verdict import (
    brief_in_words,
    reasons_in_words,
    unmet,
    unmet_in_words,
    verdict_in_words,
)

__all__ = [
    "Contest",
    "brief_in_words",
    "judge",
    "reasons_in_words",
    "unmet",
    "unmet_in_words",
    "verdict_in_words",
]
