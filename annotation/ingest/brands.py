"""Which brand a source means, and which brands are on the list."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.text import slugify

from annotation.models import Brand


@dataclass(frozen=True)
class ListingPolicy:
    """Which of a source's brands are put on the list: those `named`, and with `from_data` all
    with at least `min_images` images. The others stay off it, and their images are `other`."""

    named: Sequence[str] = ()
    from_data: bool = False
    min_images: int = 1


class BrandList:
    """The brands on the list, found by key, name or alias, in any case and spacing."""

    def __init__(self) -> None:
        self._listed: dict[str, Brand] = {}
        self._known: set[str] = set()  # names of brands of every state
        for brand in Brand.objects.all():
            self._add(brand)

    def find(self, name: str) -> Brand | None:
        """The listed brand of this name, or None."""
        return self._listed.get(_plain(name)) or self._listed.get(brand_key(name))

    def put_on_list(self, names: Iterable[str]) -> list[Brand]:
        """List the brands not yet known by any of their names; returns the new ones. A draft or
        retired brand stays what it is: that was a person's decision."""
        new: dict[str, Brand] = {}
        for name in names:
            key = brand_key(name)
            if not {_plain(name), key} & self._known and key not in new:
                new[key] = Brand(key=key, name_en=name.strip(), state=Brand.State.LISTED)
        Brand.objects.bulk_create(new.values(), ignore_conflicts=True)
        created = list(Brand.objects.filter(key__in=new))
        for brand in created:
            self._add(brand)
        return created

    def _add(self, brand: Brand) -> None:
        names = {_plain(n) for n in (brand.key, brand.name_en, brand.name_zh, *brand.aliases)}
        names = (names | {brand_key(brand.name_en)}) - {""}
        self._known |= names
        if brand.state == Brand.State.LISTED:
            for name in names:
                self._listed.setdefault(name, brand)


def brand_key(name: str) -> str:
    """A name's key: lower case, words joined by hyphens; a hash where no letter is left."""
    key = slugify(unicodedata.normalize("NFKC", name), allow_unicode=True)[:80]
    return key or f"brand-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def to_be_listed(policy: ListingPolicy, counts: Counter[str]) -> list[str]:
    """The names to put on the list, given how many images name each; spellings of one brand count
    together."""
    names = [name for name in policy.named if name.strip()]
    if policy.from_data:
        by_key: Counter[str] = Counter()
        for name, count in counts.items():
            by_key[brand_key(name)] += count
        names += [name for name in sorted(counts) if by_key[brand_key(name)] >= policy.min_images]
    return names


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
