"""A test image that a model was trained on, or a near-duplicate of it, measures nothing."""

from collections.abc import Collection

from active_learning.gates.verdict import Verdict
from active_learning.sentences import sentence


def disjoint(shared: Collection[str] | None) -> Verdict:
    """No group is in both the training material and the test sets; `shared` are those that are,
    None where the material cannot be read."""
    if shared is None:
        text = sentence("the training material cannot be read, so it may hold test images")
        return Verdict("leakage", False, text)
    if shared:
        reason = sentence(
            "groups of near-duplicates in both the training material and the test sets: %(count)s "
            "(the first: %(group)s)",
            count=len(shared),
            group=min(shared),
        )
        return Verdict("leakage", False, reason)
    return Verdict("leakage", True, sentence("no group is in both training and test"))
