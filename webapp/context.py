"""What every page knows: where this person may go."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from annotation.access import ADMINISTRATORS, ENGINEERS, EVERYBODY, STAFF, Role, may, roles_of


@dataclass(frozen=True)
class Entry:
    name: str
    address: str
    current: bool


# Name of the view, its title, who sees it, and where else it counts as current.
PLACES = (
    ("home", _("Loop"), STAFF, ()),
    ("rounds", _("Rounds"), STAFF, ("round", "round-graph", "forecasts", "forecast")),
    ("labels", _("Labels"), STAFF, ("label-lineage",)),
    ("questions", _("Questions"), STAFF, ("question",)),
    (
        "annotators",
        _("Annotators"),
        (Role.OPERATIONS,),
        ("annotator", "gold", "brand-groups"),
    ),
    ("review", _("Review"), STAFF, ()),
    ("products", _("Products"), STAFF, ("product", "merchants", "merchant")),
    ("brands", _("Brands"), STAFF, ("brand", "cold-starts", "cold-start")),
    (
        "cases",
        _("Cases"),
        EVERYBODY,
        ("case", "case-new", "contradictions", "picture-search-result"),
    ),
    ("images", _("Images"), STAFF, ("image", "image-lineage")),
    ("training", _("Training"), ENGINEERS, ("run", "run-graph")),
    ("queue", _("Queue"), ENGINEERS, ()),
    (
        "models",
        _("Models"),
        ENGINEERS,
        ("release", "model", "model-versions", "compare-releases", "compare-image", "shadow"),
    ),
    ("datasets", _("Datasets"), STAFF, ("dataset",)),
    (
        "sources",
        _("Sources"),
        STAFF,
        ("source", "source-new", "source-change", "source-run-detail"),
    ),
    ("monitoring", _("Monitoring"), STAFF, ("alerts",)),
    ("label-studio", _("Label Studio"), ENGINEERS, ()),
    ("missed", _("Missed risks"), STAFF, ("missed-enter", "missed-import")),
    ("licences", _("Licences"), STAFF, ("licences-import",)),
    ("audit", _("Audit log"), (Role.OPERATIONS,), ()),
    ("people", pgettext_lazy("page", "People"), (Role.OPERATIONS,), ()),
    ("my-work", _("My work"), EVERYBODY, ()),
    ("admin:index", _("Admin"), ADMINISTRATORS, ()),
)


def page(request: HttpRequest) -> dict:
    """`navigation`; `may_see` what staff sees, `may_act` on the loop."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"navigation": []}
    here = request.resolver_match.view_name if request.resolver_match else ""
    return {
        "navigation": [
            Entry(str(title), reverse(view), here == view or here in also)
            for view, title, roles, also in PLACES
            if may(user, roles)
        ],
        "may_see": may(user, STAFF),
        "may_act": may(user, ENGINEERS),
        "may_write_cases": may(user, (Role.OPERATIONS,)),
        "roles": [role for role in Role if role in roles_of(user)],
    }
