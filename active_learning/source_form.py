"""What a person fills in for a source."""

from typing import Any

from django import forms
from django.core.validators import validate_slug
from django.utils.translation import gettext_lazy as _

from active_learning.models import Source
from active_learning.sources import ONCE, Settings
from annotation.connectors import FIELDS
from annotation.models import Brand

PLACE = ("path", "bucket", "prefix", "url", "secret")  # of which each connector takes its own


def _words(choices: Any) -> list[tuple[str, Any]]:
    return [(value, _(str(text))) for value, text in choices]


class SourceForm(forms.Form):
    name = forms.CharField(
        max_length=40,
        validators=[validate_slug],
        label=_("Name"),
        help_text=_("Its images carry it: it cannot be changed later."),
    )
    kind = forms.ChoiceField(choices=_words(Source.Kind.choices), label=_("Kind"))
    connector = forms.ChoiceField(choices=_words(Source.Connector.choices), label=_("Connector"))
    path = forms.CharField(
        required=False,
        label=_("Path"),
        help_text=_("Of the folder or the CSV file, inside a folder that sources may read."),
    )
    url = forms.CharField(
        required=False,
        label=_("Address of the list"),
        help_text=_("CSV, JSON lines, or a line an address. It must be on the public internet."),
    )
    bucket = forms.CharField(
        required=False,
        label=_("Bucket"),
        help_text=_("S3; empty: the platform's own storage."),
    )
    # Of the bucket; Django takes fields out of the class, so its own `prefix` is not hidden.
    prefix = forms.CharField(required=False, label=_("Prefix in it"))  # type: ignore[assignment]
    secret = forms.CharField(
        required=False,
        label=_("Secret"),
        help_text=_(
            "Not the secret itself: the name of an environment variable that holds it, beginning"
            " with SOURCE_SECRET_."
        ),
    )
    split = forms.ChoiceField(
        choices=[
            ("pool", _("to the pool: people are asked first")),
            ("train", _("to training: their weak labels train as they are")),
        ],
        label=_("New images go"),
    )
    brand = forms.ModelChoiceField(
        Brand.objects.exclude(state=Brand.State.RETIRED),
        to_field_name="key",
        required=False,
        label=_("Brand"),
        empty_label=_("none in particular"),
    )
    weak_answer = forms.ChoiceField(
        choices=_words(Source.WeakAnswer.choices),
        required=False,
        label=_("Weak label where it says nothing itself"),
    )
    schedule = forms.CharField(
        max_length=100,
        initial=ONCE,
        label=_("Schedule"),
        help_text=_("“once”, or a crontab line in UTC: minute, hour, day, month, weekday."),
    )
    trust = forms.ChoiceField(
        choices=_words(Source.Trust.choices),
        label=_("Its weak labels train"),
    )
    enabled = forms.BooleanField(required=False, initial=True, label=_("Switched on"))

    def told(self) -> Settings:
        """Of a valid form, what it sets; fields of other connectors are left out."""
        data = {name: value for name, value in self.cleaned_data.items() if name != "name"}
        place = {name: data.pop(name) for name in PLACE}
        own = FIELDS[data["connector"]]
        return Settings(**data, place={name: place[name] for name in own if place[name]})


class ChangeForm(SourceForm):
    name = None  # type: ignore[assignment]  # Django's way to take a field away


def initial(source: Source) -> dict[str, Any]:
    """A source as its form shows it."""
    return {**vars(Settings.of(source)), **source.place}
