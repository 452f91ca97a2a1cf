"""What labels are likely to buy, and what they bought."""

from django.conf import settings
from django.db import models

from active_learning.models.jobs import Job
from active_learning.models.registry import Release
from active_learning.models.rounds import Round


class Forecast(Job):
    """A round before it is opened: what it would ask, what that costs, and what it is likely to
    change. `report` is what `ml forecast` wrote."""

    config = models.JSONField(help_text="dials of the round")
    release = models.ForeignKey(
        Release, on_delete=models.PROTECT, related_name="+", help_text="the champion it is of"
    )
    chosen = models.JSONField(
        default=list, help_text="[{kind, strategy, brand or null, items}] that would be asked"
    )
    effort = models.JSONField(
        default=dict, help_text="{kind: {items, answers, hours or null}} that it would take"
    )
    files = models.JSONField(default=dict, help_text="paths of the manifests it is made from")
    report = models.JSONField(default=dict, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    round = models.OneToOneField(
        Round,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="forecast",
        help_text="that was opened with it",
    )


class Worth(Job):
    """What a round's chosen labels bought over as many random ones, its control. `report` is what
    `ml worth` wrote."""

    round = models.OneToOneField(Round, on_delete=models.PROTECT, related_name="worth")
    files = models.JSONField(default=dict, help_text="paths of the manifests it is made from")
    report = models.JSONField(default=dict, blank=True)
