"""Protected brands: their recall may not fall, nor lie low."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.conf import settings

from active_learning.gates.verdict import Verdict
from active_learning.sentences import sentence


def hold(
    *,
    protected: Mapping[str, str],
    changes: Mapping[str, Mapping[str, Any]],
    dropped: Collection[str],
) -> Iterator[Verdict]:
    """One verdict for each brand that does not hold, or one for all that do.

    Args:
        protected: names by key.
        changes: by brand, `{"a", "b", "interval", "n"}` from the champion `a` to the candidate.
        dropped: brands that the champion knows and the candidate does not.
    """
    failed = 0
    for key, name in protected.items():
        verdict = None
        if key in dropped:
            text = sentence("%(brand)s, protected, is not among its brands", brand=name)
            verdict = Verdict("protected", False, text)
        elif key in changes:
            verdict = _fallen(name, changes[key]) or _low(name, changes[key])
        if verdict is not None:
            failed += 1
            yield verdict
    held = len(protected.keys() & changes.keys()) - failed
    if held > 0 and not failed:
        text = sentence("protected brands that hold their recall: %(count)s", count=held)
        yield Verdict("protected", True, text)


def _fallen(name: str, change: Mapping[str, Any]) -> Verdict | None:
    """Fallen by more than chance explains."""
    low, high = change["interval"]
    if high >= 0:
        return None
    reason = sentence(
        "%(brand)s, protected: recall %(own)s, the champion %(theirs)s, difference "
        "[%(low)s, %(high)s] over %(n)s images",
        brand=name,
        own=f"{change['b']:.3f}",
        theirs=f"{change['a']:.3f}",
        low=f"{low:+.3f}",
        high=f"{high:+.3f}",
        n=change["n"],
    )
    return Verdict("protected", False, reason)


def _low(name: str, change: Mapping[str, Any]) -> Verdict | None:
    """Below the floor, on images enough to say so. Where the champion lies below it too, what
    raises it passes: to keep the lower of the two would protect nobody."""
    floor = settings.GATE_PROTECTED_RECALL
    raises = change["a"] < floor and change["b"] >= change["a"]
    if change["n"] < settings.GATE_PROTECTED_IMAGES or change["b"] >= floor or raises:
        return None
    reason = sentence(
        "%(brand)s, protected: recall %(own)s of %(n)s images is below the floor of %(floor)s",
        brand=name,
        own=f"{change['b']:.3f}",
        n=change["n"],
        floor=str(floor),
    )
    return Verdict("protected", False, reason)
