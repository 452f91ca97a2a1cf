"""Which of the four risks an item with a brand is: from the licence, the price, and what the
models see done to the mark (SEED: infringement, counterfeit, smear, knock-off)."""

from collections.abc import Mapping

INFRINGEMENT, COUNTERFEIT, SMEAR, KNOCK_OFF = "infringement", "counterfeit", "smear", "knock_off"
# At or below this share of the usual price nobody sells the real thing. In the generated worlds
# nine fakes in ten are below it, and one knock-off in ten.
ABSURD_RATIO = 0.2


def is_absurd(ratio: float | None) -> bool:
    """
    Args:
        ratio: the price as a share of the brand's usual one; None where one is not known.
    """
    return ratio is not None and ratio <= ABSURD_RATIO


def likely_attack(chances: Mapping[str, float]) -> str | None:
    """The kind that is likelier than each other and than none of them; None else.

    Args:
        chances: by kind, of those that a model tells.
    """
    if not chances:
        return None
    kind = max(chances, key=lambda name: chances[name])
    return kind if chances[kind] > 1 - sum(chances.values()) else None


def proposed_risk(attack: str | None, ratio: float | None) -> str:
    """The risk of an item whose merchant has no licence. What was done to the mark says more than
    a low price, which most of these have too.

    Args:
        attack: of `likely_attack`.
        ratio: see `is_absurd`.
    """
    if attack is not None:
        return attack
    return COUNTERFEIT if is_absurd(ratio) else INFRINGEMENT
