"""Whether another person is worth asking."""

from collections.abc import Mapping


def ask_again(
    *,
    posterior: Mapping[str, float],
    answers: int,
    target: float,
    most: int,
    budget_left: float = float("inf"),
) -> bool:
    """Whether an item wants one more answer. `posterior` is what is known now, `answers` how many
    people's answers stand behind it, `target` the probability that ends the asking, `most` the
    number of people an item is ever shown to, `budget_left` the answers still to be paid for."""
    if budget_left < 1 or answers >= most:
        return False
    return answers == 0 or max(posterior.values(), default=0.0) < target
