"""What missed risks and licences can be narrowed by; pages and API share it."""

from datetime import date, timedelta

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from annotation.filters import Words, brand_filter, choice_filter, sort_filter
from annotation.models import Image, MissedRisk, Qualification
from annotation.models.label import Risk
from annotation.selectors.missed import valid_on

# The models' choices in words, for the translators.
CHANNELS = (gettext_noop("complaint"), gettext_noop("audit"))
SPANS = [("30", _("within 30 days")), ("90", _("within 90 days")), ("365", _("within a year"))]


def day_filter(label: Words, **options) -> filters.DateFilter:
    return filters.DateFilter(label=label, widget=forms.DateInput({"type": "date"}), **options)


class MissedRiskFilter(filters.FilterSet):
    brand = brand_filter("brand")
    risk = choice_filter(Risk.choices, _("Risk"))
    channel = choice_filter(MissedRisk.Channel.choices, _("Found by"))
    split = choice_filter(Image.Split.choices, _("Split"), field_name="image__split")
    since = day_filter(_("From"), field_name="found_on", lookup_expr="gte")
    until = day_filter(_("To"), field_name="found_on", lookup_expr="lte")
    sort = sort_filter(("found_on", "found", _("day found")), ("pk", "entered", _("entered")))

    class Meta:
        model = MissedRisk
        fields: list[str] = []


class LicenceFilter(filters.FilterSet):
    q = filters.CharFilter(label=_("Merchant"), method="search")
    brand = brand_filter("brand")
    on = day_filter(_("Valid on"), method="valid")
    ending = filters.ChoiceFilter(
        choices=SPANS, label=_("Ends"), empty_label=_("any time"), method="ends"
    )
    sort = sort_filter(
        ("valid_to", "ends", _("end")), ("merchant__name", "merchant", _("merchant"))
    )

    class Meta:
        model = Qualification
        fields: list[str] = []

    def search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(
            Q(merchant__name__icontains=value) | Q(merchant__external_id__icontains=value)
        )

    def valid(self, queryset: QuerySet, name: str, value: date) -> QuerySet:
        return queryset.filter(valid_on(value))

    def ends(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        """Still valid, and not for long."""
        today = timezone.localdate()
        last = today + timedelta(days=int(value))
        return queryset.filter(valid_on(today), valid_to__lte=last)
