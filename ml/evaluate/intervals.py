"""Shares with their intervals."""

import math
from dataclasses import dataclass

Z = 1.959964  # 95 %


@dataclass(frozen=True)
class Figure:
    """A share with its 95 % interval, and how many it was measured on."""

    value: float
    low: float
    high: float
    n: int | None = None

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2


def wilson(hits: float, n: int) -> Figure | None:
    """Wilson's score interval of `hits` of `n` (JASA 22, 1927); None of nothing. Holds its level
    at few cases and at shares near 0 and 1."""
    if not n:
        return None
    share = hits / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return Figure(share, max(0.0, middle - half), min(1.0, middle + half), n)
