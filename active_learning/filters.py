"""What lists of the loop can be narrowed by; pages and API share them."""

import django_filters as filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from active_learning.models import (
    Alert,
    ColdStart,
    DatasetExport,
    Delivery,
    Evaluation,
    JobState,
    Measure,
    Measurement,
    ModelKind,
    ModelVersion,
    Release,
    Round,
    Scan,
    Selection,
    Source,
    SourceRun,
    TrainingRun,
)
from active_learning.selectors import job_queue
from annotation.filters import brand_filter, choice_filter, sort_filter
from annotation.models import Task

STRATEGIES = [
    ("hard_negatives", _("hard negatives")),
    ("low_precision", _("low precision")),
    ("uncertain", _("uncertain")),
    ("margin", _("small margin")),
    ("entropy", _("high entropy")),
    ("threshold", _("around the threshold")),
    ("disagreement", _("models disagree")),
    ("neighbours", _("like known ones")),
    ("typical", _("typical")),
    ("suspected_label", _("suspected labels")),
    ("random_control", _("random control")),
    ("probe", _("probe")),
    ("detector_miss", _("detector misses")),
    ("small_logo", _("small logos")),
    ("detector_false_alarm", _("detector false alarms")),
    ("near_threshold", _("near the threshold")),
    ("detection_set", _("for the detection set")),
    ("source_check", _("check of a source")),
]


class RoundFilter(filters.FilterSet):
    state = choice_filter(Round.State.choices, _("State"))
    sort = filters.OrderingFilter(fields={"number": "number", "created_at": "opened"})

    class Meta:
        model = Round
        fields: list[str] = []


class ColdStartFilter(filters.FilterSet):
    state = choice_filter(ColdStart.State.choices, _("State"))
    brand = brand_filter("brand", _("Brand"))

    class Meta:
        model = ColdStart
        fields: list[str] = []


class SelectionFilter(filters.FilterSet):
    kind = choice_filter(Task.Kind.choices, _("Kind"), field_name="task__kind")
    strategy = choice_filter(STRATEGIES, _("Strategy"))
    focus_brand = brand_filter("focus_brand", _("Focus brand"))
    state = choice_filter(Task.State.choices, _("Task"), field_name="task__state")
    sort = sort_filter(
        ("rank", "rank", _("rank")),
        ("score", "score", _("score")),
        ("task__answered_at", "answered", _("answered")),
    )

    class Meta:
        model = Selection
        fields: list[str] = []


class SelectionListFilter(SelectionFilter):
    """Of all rounds: for the API."""

    round = filters.NumberFilter(field_name="round__number")


class RunFilter(filters.FilterSet):
    kind = choice_filter(ModelKind.choices, _("Model"))
    state = choice_filter(JobState.choices, _("State"))
    trigger = choice_filter(TrainingRun.Trigger.choices, _("Asked for by"))
    sort = filters.OrderingFilter(fields={"pk": "number", "kind": "kind", "created_at": "asked"})

    class Meta:
        model = TrainingRun
        fields: list[str] = []


class ModelVersionFilter(filters.FilterSet):
    kind = choice_filter(ModelKind.choices, _("Model"))
    sort = filters.OrderingFilter(fields={"pk": "created", "number": "number"})

    class Meta:
        model = ModelVersion
        fields: list[str] = []


class ReleaseFilter(filters.FilterSet):
    state = choice_filter(Release.State.choices, _("State"))
    sort = filters.OrderingFilter(fields={"number": "number"})

    class Meta:
        model = Release
        fields: list[str] = []


class EvaluationFilter(filters.FilterSet):
    state = choice_filter(JobState.choices, _("State"))
    release = filters.NumberFilter(field_name="release__number", label=_("Release"))

    class Meta:
        model = Evaluation
        fields: list[str] = []


class ScanFilter(filters.FilterSet):
    state = choice_filter(JobState.choices, _("State"))
    release = filters.NumberFilter(field_name="release__number", label=_("Release"))

    class Meta:
        model = Scan
        fields: list[str] = []


class ExportFilter(filters.FilterSet):
    state = choice_filter(JobState.choices, _("State"))
    format = choice_filter(DatasetExport.Format.choices, _("Format"))
    dataset = filters.CharFilter(field_name="dataset__sha256", label=_("Dataset"))

    class Meta:
        model = DatasetExport
        fields: list[str] = []


class SourceFilter(filters.FilterSet):
    kind = choice_filter(Source.Kind.choices, _("Kind"))
    connector = choice_filter(Source.Connector.choices, _("Connector"))
    brand = brand_filter("brand")
    enabled = filters.BooleanFilter(
        label=_("Switched on"),
        widget=forms.Select(choices=[("", _("any")), ("true", _("yes")), ("false", _("no"))]),
    )

    class Meta:
        model = Source
        fields: list[str] = []


class SourceRunFilter(filters.FilterSet):
    source = filters.CharFilter(field_name="source__name", label=_("Source"))
    state = choice_filter(JobState.choices, _("State"))

    class Meta:
        model = SourceRun
        fields: list[str] = []


class JobFilter(filters.FilterSet):
    """Of jobs of all kinds: each kind is narrowed by itself before they are put together."""

    state = filters.ChoiceFilter(
        choices=[(one.value, _(one.label)) for one in JobState if one != JobState.SUCCEEDED],
        label=_("State"),
        empty_label=_("waiting or running"),
    )
    job = choice_filter(list(job_queue.NAMES.items()), _("Kind"))
    queue = choice_filter(list(job_queue.QUEUE_NAMES.items()), _("Queue"))
    machine = filters.CharFilter(label=_("Machine"))

    class Meta:
        model = TrainingRun  # of the form alone
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        asked = self.form.cleaned_data
        return job_queue.entries(**{name: asked.get(name) or "" for name in self.filters})


class LatestFilter(filters.FilterSet):
    """Of the last measurement of each measure."""

    name = choice_filter(Measure.choices, _("Measure"))
    state = choice_filter(Measurement.State.choices, _("State"))

    class Meta:
        model = Measurement
        fields: list[str] = []


class MeasurementFilter(LatestFilter):
    """Of all days: for the API."""

    subject = filters.CharFilter()
    since = filters.DateFilter(field_name="day", lookup_expr="gte")
    until = filters.DateFilter(field_name="day", lookup_expr="lte")


class AlertFilter(filters.FilterSet):
    # Not by `choice_filter`: "closed" is a test set too, and another word in Chinese.
    state = filters.ChoiceFilter(
        choices=[("open", _("open")), ("closed", pgettext_lazy("alert", "closed"))],
        label=_("State"),
        empty_label=_("any"),
    )
    name = choice_filter(Measure.choices, _("Measure"))
    delivery = choice_filter(
        Delivery.State.choices, _("Word sent"), field_name="deliveries__state", distinct=True
    )

    class Meta:
        model = Alert
        fields: list[str] = []


class CompareForm(forms.Form):
    """Two releases, by their numbers, and one kind of model."""

    a = forms.ModelChoiceField(
        Release.objects.all(),
        to_field_name="number",
        label=_("Release"),
        widget=forms.NumberInput({"min": 1}),
    )
    b = forms.ModelChoiceField(
        Release.objects.all(),
        to_field_name="number",
        label=_("against release"),
        widget=forms.NumberInput({"min": 1}),
    )
    kind = forms.ChoiceField(
        choices=[(kind.value, _(kind.label)) for kind in ModelKind], label=_("Model")
    )
