"""What the reviewers' queue, products and merchants can be narrowed by."""

import django_filters as filters
from django import forms
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from annotation.filters import brand_filter, choice_filter
from annotation.models import Flag, Merchant, Product
from annotation.models.label import Risk

# The models' choices in words, for the translators.
CHOICES = (
    gettext_noop("suspected counterfeit"), gettext_noop("infringement"),
    gettext_noop("smear or cover"), gettext_noop("knock-off"),
)  # fmt: skip

WAITING = "waiting"
UNSURE = "unsure"
STATES = (
    (WAITING, _("to decide")),
    (UNSURE, _("unsure")),
    (Flag.State.CONFIRMED, _("confirmed")),
    (Flag.State.CORRECTED, _("corrected")),
    (Flag.State.WITHDRAWN, _("withdrawn")),
)


class FlagFilter(filters.FilterSet):
    """The queue. Without a state: what is still to be decided."""

    state = choice_filter(STATES, _("State"), method="in_state")
    brand = brand_filter("brand")
    risk = choice_filter(Risk.choices, _("Risk"))
    merchant = filters.CharFilter(label=_("Merchant"), method="sold_by")
    least = filters.NumberFilter(
        field_name="score",
        lookup_expr="gte",
        label=_("Score from"),
        widget=forms.NumberInput(attrs={"min": 0, "max": 1, "step": 0.05}),
    )

    class Meta:
        model = Flag
        fields: list[str] = []

    def __init__(self, data=None, *args, **options):
        data = {} if data is None else data.copy()
        data.setdefault("state", WAITING)
        super().__init__(data, *args, **options)

    def in_state(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        is_open = Q(state=Flag.State.OPEN)
        if value == WAITING:
            return queryset.filter(is_open, verdict__isnull=True)
        if value == UNSURE:
            return queryset.filter(is_open, verdict__isnull=False)
        return queryset.filter(state=value)

    def sold_by(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        merchants = Merchant.objects.filter(Q(external_id=value) | Q(name__icontains=value))
        return queryset.filter(product__merchant__in=merchants)


class NullsLast(filters.OrderingFilter):
    """What lacks the value that is sorted by comes last, either way."""

    def filter(self, qs: QuerySet, value) -> QuerySet:
        if not value:
            return qs
        name = value[0].removeprefix("-")
        field = F(self.param_map.get(name, name))
        down = value[0].startswith("-")
        order = field.desc(nulls_last=True) if down else field.asc(nulls_last=True)
        return qs.order_by(order, "pk")


class ProductFilter(filters.FilterSet):
    q = filters.CharFilter(label=_("Title or number"), method="search")
    brand = filters.ModelChoiceFilter(
        queryset=brand_filter("x").queryset,
        to_field_name="key",
        label=_("Flagged for"),
        empty_label=_("any"),
        method="flagged_for",
    )
    merchant = filters.CharFilter(label=_("Merchant"), method="sold_by")
    flags = filters.ChoiceFilter(
        choices=[("open", _("with open flags")), ("confirmed", _("with a confirmed risk"))],
        label=_("Flags"),
        empty_label=_("any"),
        method="with_flags",
    )
    sort = NullsLast(
        fields={"worst": "severity", "price": "price"},
        field_labels={"worst": _("severity"), "price": _("price")},
        label=_("Sort"),
        empty_label=_("as it comes"),
    )

    class Meta:
        model = Product
        fields: list[str] = []

    def search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(Q(title__icontains=value) | Q(external_id=value))

    def sold_by(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(Q(merchant__external_id=value) | Q(merchant__name__icontains=value))

    @extend_schema_field(OpenApiTypes.STR)
    def flagged_for(self, queryset: QuerySet, name: str, value) -> QuerySet:
        flags = Flag.objects.filter(brand=value).exclude(state=Flag.State.WITHDRAWN)
        return queryset.filter(pk__in=flags.values("product"))

    def with_flags(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(pk__in=Flag.objects.filter(state=value).values("product"))


class MerchantFilter(filters.FilterSet):
    q = filters.CharFilter(label=_("Name or number"), method="search")
    brand = filters.ModelChoiceFilter(
        queryset=brand_filter("x").queryset,
        to_field_name="key",
        label=_("Licensed for"),
        empty_label=_("any"),
        method="licensed_for",
    )
    sort = NullsLast(
        fields={
            "open_flags": "flags",
            "confirmed": "confirmed",
            "goods": "products",
            "licensed_brands": "licences",
            "name": "name",
        },
        label=_("Sort"),
    )

    class Meta:
        model = Merchant
        fields: list[str] = []

    def search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(Q(name__icontains=value) | Q(external_id=value))

    @extend_schema_field(OpenApiTypes.STR)
    def licensed_for(self, queryset: QuerySet, name: str, value) -> QuerySet:
        return queryset.filter(qualifications__brand=value).distinct()
