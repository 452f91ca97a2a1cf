"""What the case library can be narrowed by; page and API share it."""

import django_filters as filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from annotation.filters import brand_filter, choice_filter
from annotation.models import Case
from annotation.selectors import cases as selectors

# The models' choices in words, for the translators.
CHOICES = (
    gettext_noop("mass style"), gettext_noop("knock-off"), gettext_noop("recognisability"),
    gettext_noop("smear or cover"), gettext_noop("other"), gettext_noop("it is this brand"),
    gettext_noop("no brand"), gettext_noop("a brand not on the list"), gettext_noop("active"),
    gettext_noop("superseded"), gettext_noop("merged"), gettext_noop("retired"),
)  # fmt: skip


class ReadableCaseFilter(filters.FilterSet):
    """For those who see active cases only."""

    q = filters.CharFilter(label=_("Words"), method="search")
    brand = brand_filter("brand")
    kind = choice_filter(Case.Kind.choices, _("Question kind"))
    verdict = choice_filter(Case.Verdict.choices, _("Verdict"))

    class Meta:
        model = Case
        fields: list[str] = []

    def search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return selectors.search(queryset, value)


class CaseFilter(ReadableCaseFilter):
    state = choice_filter(Case.State.choices, _("State"))
