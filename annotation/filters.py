"""What lists of annotation can be narrowed by; pages and API share them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import django_filters as filters
from django import forms
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from annotation.models import (
    Brand,
    GoldItem,
    GuidelineVersion,
    Image,
    Label,
    Question,
    ReturnedTask,
    Task,
)
from annotation.models.label import Answer

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise
else:
    StrPromise = object

Words = str | StrPromise


def brand_filter(field: str, label: Words = "") -> filters.ModelChoiceFilter:
    return filters.ModelChoiceFilter(
        field_name=field,
        queryset=Brand.objects.all(),
        to_field_name="key",
        label=label or _("Brand"),
        empty_label=_("any"),
    )


# The models' choices in words, for the translators; the models themselves speak English.
CHOICES = (
    gettext_noop("brand"), gettext_noop("no brand"), gettext_noop("a brand not on the list"),
    gettext_noop("unsure"), gettext_noop("none"), gettext_noop("collage"), gettext_noop("stack"),
    gettext_noop("labeler"), gettext_noop("import"), gettext_noop("audit"), gettext_noop("pool"),
    gettext_noop("train"), gettext_noop("val"), gettext_noop("closed"), gettext_noop("open"),
    gettext_noop("business"), gettext_noop("pushing"), gettext_noop("pushed"),
    gettext_noop("logo"), gettext_noop("wordmark"), gettext_noop("pattern"),
    gettext_noop("style"), gettext_noop("design"),
)  # fmt: skip


def choice_filter(
    choices: Sequence[tuple[str, Words]], label: Words, **options: Any
) -> filters.ChoiceFilter:
    words = [(value, _(str(text))) for value, text in choices]
    return filters.ChoiceFilter(choices=words, label=label, empty_label=_("any"), **options)


def sort_filter(*sorts: tuple[str, str, Words]) -> filters.OrderingFilter:
    """Of (field, name in the address, words), each also downwards."""
    return filters.OrderingFilter(
        fields={field: name for field, name, _words in sorts},
        field_labels={field: words for field, _name, words in sorts},
        label=_("Sort"),
        empty_label=_("as it comes"),
    )


class LabelFilter(filters.FilterSet):
    kind = choice_filter(Task.Kind.choices, _("Kind"))
    answer = choice_filter(Answer.choices, _("Answer"))
    brand = brand_filter("brand")
    source = choice_filter(Label.Source.choices, _("Source"))
    by = filters.ModelChoiceFilter(
        queryset=get_user_model().objects.filter(is_active=True).order_by("username"),
        to_field_name="username",
        label=_("By"),
        empty_label=_("anyone"),
    )
    sort = sort_filter(("pk", "arrived", _("arrival")), ("seconds", "seconds", _("time taken")))

    class Meta:
        model = Label
        fields: list[str] = []


class LabelStreamFilter(LabelFilter):
    """Of labels read by `annotation.selectors.label_stream`."""

    show = choice_filter(
        [
            ("differs", gettext_noop("other than the consensus")),
            ("held", gettext_noop("held")),
            ("returned", gettext_noop("given back")),
        ],
        _("Show"),
        method="only",
    )
    sort = sort_filter(
        ("pk", "arrived", _("arrival")),
        ("doubt", "disagreement", _("disagreement")),
        ("seconds", "seconds", _("time taken")),
    )

    def only(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        if value == "differs":
            return queryset.filter(differs=True)
        if value == "held":
            return queryset.filter(held__hold__released_at__isnull=True, held__isnull=False)
        return queryset.filter(returns__state=ReturnedTask.State.OPEN)


class ImageFilter(filters.FilterSet):
    q = filters.CharFilter(label=_("Title or hash"), method="search")
    split = choice_filter(Image.Split.choices, _("Split"))
    brand = brand_filter("consensus__brand", _("Labelled brand"))
    weak_brand = brand_filter("weak_brand", _("Source's brand"))
    sort = sort_filter(("pk", "arrived", _("arrival")), ("split", "split", _("split")))

    class Meta:
        model = Image
        fields: list[str] = []

    def search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(Q(product__title__icontains=value) | Q(sha256__startswith=value))


class TaskFilter(filters.FilterSet):
    kind = choice_filter(Task.Kind.choices, _("Kind"))
    state = choice_filter(Task.State.choices, _("State"))
    strategy = filters.CharFilter(label=_("Strategy"))
    focus_brand = brand_filter("focus_brand", _("Focus brand"))
    sort = filters.OrderingFilter(fields={"created_at": "created", "priority": "priority"})

    class Meta:
        model = Task
        fields: list[str] = []


class GuidelineFilter(filters.FilterSet):
    brand = brand_filter("brand")
    state = choice_filter(GuidelineVersion.State.choices, _("State"))

    class Meta:
        model = GuidelineVersion
        fields: list[str] = []


class BrandFilter(filters.FilterSet):
    q = filters.CharFilter(label=_("Name"), method="search")
    state = choice_filter(Brand.State.choices, _("State"))
    protected = filters.BooleanFilter(
        label=_("Protected"),
        widget=forms.Select(choices=[("", _("any")), ("true", _("yes")), ("false", _("no"))]),
    )

    class Meta:
        model = Brand
        fields: list[str] = []

    def search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(
            Q(name_en__icontains=value) | Q(name_zh__icontains=value) | Q(key__icontains=value)
        )


class QuestionFilter(filters.FilterSet):
    state = choice_filter(Question.State.choices, _("State"))
    brand = filters.ModelChoiceFilter(
        queryset=Brand.objects.all(),
        to_field_name="key",
        label=_("Brand"),
        empty_label=_("any"),
        method="of_brand",
    )
    asked_by = filters.ModelChoiceFilter(
        queryset=get_user_model().objects.filter(questions__isnull=False).distinct(),
        to_field_name="username",
        label=_("Asked by"),
        empty_label=_("anyone"),
    )
    sort = sort_filter(("asked_at", "asked", _("time asked")))

    class Meta:
        model = Question
        fields: list[str] = []

    def of_brand(self, queryset: QuerySet, name: str, value: Brand) -> QuerySet:
        """Questions that are about a brand: asked for, answered or decided."""
        return queryset.filter(Q(task__focus_brand=value) | Q(label__brand=value) | Q(brand=value))


class ReturnFilter(filters.FilterSet):
    state = choice_filter(ReturnedTask.State.choices, _("State"))
    reason = choice_filter(ReturnedTask.Reason.choices, _("Why"))
    to = filters.ModelChoiceFilter(
        queryset=get_user_model().objects.all(), to_field_name="username", label=_("To")
    )

    class Meta:
        model = ReturnedTask
        fields: list[str] = []


class GoldFilter(filters.FilterSet):
    kind = choice_filter(Task.Kind.choices, _("Kind"))
    brand = brand_filter("brand")
    state = choice_filter(GoldItem.State.choices, _("State"))

    class Meta:
        model = GoldItem
        fields: Sequence[str] = []
