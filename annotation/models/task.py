"""What a person is asked about an image."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.brand import Brand, GuidelineVersion
from annotation.models.image import Image


class Task(models.Model):
    """One question on one image. The rows are also the outbox to Label Studio: `waiting` ones
    are yet to be sent, and our id travels in the task data, so a push whose answer was lost is
    found again instead of sent twice."""

    class Kind(models.TextChoices):
        BRAND = "brand", "brand"
        BOXES = "boxes", "boxes"
        VARIATION = "variation", "variation"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"  # in the outbox
        PUSHING = "pushing", "pushing"  # claimed by a push; its import may or may not have landed
        PUSHED = "pushed", "pushed"  # in Label Studio, unanswered
        ANSWERED = "answered", "answered"
        WITHDRAWN = "withdrawn", "withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="tasks")
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    # Why it was chosen; never sent to Label Studio, where any user could read it.
    strategy = models.CharField(max_length=30)
    focus_brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    blind = models.BooleanField(default=False, help_text="no proposal of the model is shown")
    proposal = models.JSONField(
        default=dict,
        blank=True,
        help_text="{candidates: [brand key…], answer, brand, score, boxes, variation, model}",
    )
    guideline = models.ForeignKey(
        GuidelineVersion,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="of the focus brand, as shown; every version shown is in `guidelines_shown`",
    )
    guidelines_shown = models.JSONField(default=list, help_text="ids of the versions shown")
    priority = models.FloatField(default=0, help_text="higher is asked earlier")
    answers_wanted = models.PositiveSmallIntegerField(
        default=1, help_text="it stays open until so many people have answered"
    )
    # Asked of this person alone: a returned task.
    only_for = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    note = models.TextField(blank=True, help_text="shown above the picture: why it came back")
    is_gold = models.BooleanField(
        default=False, help_text="its right answer is known; its labels train nothing"
    )
    cases_shown = models.JSONField(default=list, help_text="ids of the cases shown")
    remote_id = models.BigIntegerField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    pushed_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-priority", "created_at", "pk"]
        indexes = [models.Index(fields=["kind", "state", "-priority", "created_at"])]
        constraints = [
            # Label Studio numbers tasks over all its projects.
            models.UniqueConstraint(fields=["remote_id"], name="task_remote_id_once"),
            models.UniqueConstraint(
                fields=["image", "kind"],
                condition=Q(
                    state__in=["waiting", "pushing", "pushed"],
                    is_gold=False,
                    only_for__isnull=True,
                ),
                name="task_one_open_per_image_kind",
            ),
            # What is asked again of one person is no second asking of everybody: it may stand
            # beside the open task of its image, and beside those of others.
            models.UniqueConstraint(
                fields=["image", "kind", "only_for"],
                condition=Q(
                    state__in=["waiting", "pushing", "pushed"],
                    is_gold=False,
                    only_for__isnull=False,
                ),
                name="task_one_open_for_a_person",
            ),
            models.CheckConstraint(
                condition=~Q(state="pushed") | Q(remote_id__isnull=False),
                name="task_pushed_has_remote_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {str(self.pk)[:8]}"
