"""One way to list things on pages: filtered and sorted by the address, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django_filters import FilterSet


@dataclass(frozen=True)
class Listing:
    """A page of things with what it takes to draw its filter bar and its pager."""

    filters: FilterSet | None
    page: Page

    @property
    def total(self) -> int:
        return self.page.paginator.count

    @property
    def is_filtered(self) -> bool:
        if self.filters is None:
            return False
        return any(
            self.filters.form.data.get(name) for name in self.filters.filters if name != "sort"
        )


def listing(
    request: HttpRequest,
    *,
    queryset: QuerySet | Sequence[Any],
    filters: type[FilterSet] | None = None,
    per_page: int = 50,
) -> Listing:
    """Filter by the address, and cut out the page it names (the nearest when there is none).

    Filters that make no sense are left out, as the filter bar then says.
    """
    bound = None
    if filters is not None:
        bound = filters(request.GET, queryset=queryset, request=request)
        queryset = bound.qs
    return Listing(bound, Paginator(queryset, per_page).get_page(request.GET.get("page")))
