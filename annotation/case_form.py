"""What a person fills in for a new case."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.cases import CORNERS, LONGEST
from annotation.models import Brand, Case, GuidelineVersion, Image, Label


def _words(choices: Any) -> list[tuple[str, Any]]:
    return [(value, _(str(text))) for value, text in choices]


class CaseForm(forms.Form):
    kind = forms.ChoiceField(choices=_words(Case.Kind.choices), label=_("Question kind"))
    verdict = forms.ChoiceField(choices=_words(Case.Verdict.choices), label=_("Verdict"))
    brand = forms.ModelChoiceField(
        Brand.objects.all(),
        to_field_name="key",
        required=False,
        label=_("Brand in question"),
        empty_label=_("none in particular"),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("In the words others will search for."),
    )
    x1 = forms.FloatField(required=False, label=_("left"))
    y1 = forms.FloatField(required=False, label=_("top"))
    x2 = forms.FloatField(required=False, label=_("right"))
    y2 = forms.FloatField(required=False, label=_("bottom"))

    def said(self) -> dict[str, Any]:
        """Of a valid form, the arguments of `cases.create_case` but image and person. The
        guideline is the brand's published one: what the verdict is given by."""
        data = self.cleaned_data
        corners = {corner: data[corner] for corner in CORNERS}
        drawn = any(value is not None for value in corners.values())
        return {
            "kind": data["kind"],
            "verdict": data["verdict"],
            "brand": data["brand"],
            "reason": data["reason"],
            "region": corners if drawn else None,
            "guideline": published(data["brand"]),
        }


def published(brand: Brand | None) -> GuidelineVersion | None:
    """What a verdict on the brand is given by."""
    if brand is None:
        return None
    return brand.guidelines.filter(state=GuidelineVersion.State.PUBLISHED).first()


def initial(*, image: Image, label: Label | None, superseded: Case | None) -> dict[str, Any]:
    """What is known before anything is filled in: a label's answer, or an old case's verdict."""
    if superseded is not None:
        region = superseded.region if superseded.image_id == image.pk else None
        return {
            "kind": superseded.kind,
            "verdict": superseded.verdict,
            "brand": superseded.brand,
            "reason": superseded.reason,
            **(region or {}),
        }
    if label is None:
        return {"kind": Case.Kind.OTHER}
    known: dict[str, Any] = {"kind": Case.Kind.OTHER, "brand": label.brand}
    if label.answer in Case.Verdict.values:
        known["verdict"] = label.answer
    return known
