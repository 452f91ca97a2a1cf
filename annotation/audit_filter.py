"""What the audit log can be narrowed by; page and API share it."""

from typing import Any

import django_filters as filters
from django import forms
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from annotation.models import AuditEntry
from annotation.selectors import audit as selectors
from annotation.words import query


def _day(label: Any, lookup: str) -> filters.DateFilter:
    return filters.DateFilter(
        field_name="at", lookup_expr=lookup, label=label, widget=forms.DateInput({"type": "date"})
    )


class AuditFilter(filters.FilterSet):
    q = filters.CharFilter(label=_("Words"), method="search")
    by = filters.ModelChoiceFilter(
        queryset=get_user_model().objects.order_by("username"),
        to_field_name="username",
        label=_("By"),
        empty_label=_("anyone"),
    )
    action = filters.ChoiceFilter(label=_("Action"), empty_label=_("any"))
    subject_type = filters.ChoiceFilter(label=_("Of"), empty_label=_("anything"))
    subject_id = filters.CharFilter(label="", widget=forms.HiddenInput())
    since = _day(_("From"), "date__gte")
    until = _day(_("To"), "date__lte")

    class Meta:
        model = AuditEntry
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What is to choose from is what there is, known when the log is looked at.
        for name, words in (
            ("action", selectors.action_words),
            ("subject_type", selectors.subject_words),
        ):
            self.filters[name].extra["choices"] = [
                (value, words(value)) for value in selectors.kinds_of(name)
            ]

    def search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        wanted = query(value)
        return queryset.none() if wanted is None else queryset.filter(words=wanted)
