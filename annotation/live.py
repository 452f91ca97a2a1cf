"""Parts of pages that renew themselves: asked for often while something happens, ever more rarely
while nothing does."""

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

FASTEST = 2  # seconds
SLOWEST = 60
GROWTH = 1.5


@dataclass(frozen=True)
class Live:
    """When and where a part is to be asked for next."""

    url: str
    delay: int


def live(request: HttpRequest, *, shown: Any) -> Live:
    """`shown` is what a change of shows on the page: as long as it stays the same between two
    askings, the wait before the next grows."""
    digest = hashlib.sha256(json.dumps(shown, default=str, sort_keys=True).encode()).hexdigest()[
        :12
    ]
    query = request.GET.copy()
    delay = FASTEST
    if query.get("seen") == digest:
        delay = min(SLOWEST, math.ceil(_number(query.get("wait")) * GROWTH))
    query["seen"], query["wait"] = digest, str(delay)
    return Live(f"{request.path}?{query.urlencode()}", delay)


def _number(text: str | None) -> int:
    return max(FASTEST, int(text)) if text and text.isdecimal() else FASTEST
