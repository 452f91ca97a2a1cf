"""Whether people's labels can be trusted: gold items, who holds which task, held labels, tests."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from annotation.models.brand import Brand
from annotation.models.image import Image
from annotation.models.label import Answer, Label, Variation
from annotation.models.task import Task


class GoldItem(models.Model):
    """An image whose right answer is known, shown among the others without saying so."""

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        RETIRED = "retired", "retired"

    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="gold")
    kind = models.CharField(max_length=10, choices=Task.Kind)
    answer = models.CharField(max_length=10, choices=Answer, blank=True)
    brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, null=True, blank=True, related_name="gold"
    )
    variation = models.CharField(max_length=10, choices=Variation, blank=True)
    boxes = models.JSONField(null=True, blank=True, help_text="as in Label")
    explanation = models.TextField(blank=True, help_text="shown after a qualification test's item")
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    # The one task in Label Studio that asks for it, of whoever is due; never answered for good.
    task = models.OneToOneField(
        Task, on_delete=models.PROTECT, null=True, blank=True, related_name="gold"
    )
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["image", "kind"], condition=Q(state="active"), name="gold_once"
            ),
            models.CheckConstraint(
                condition=(Q(answer="brand") & Q(brand__isnull=False))
                | (~Q(answer="brand") & Q(brand__isnull=True)),
                name="gold_brand_fits_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"gold {self.pk}: {self.kind}"


class Assignment(models.Model):
    """A task handed to a person. Nobody is handed the same task, or the same gold item, twice."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        DONE = "done", "done"
        EXPIRED = "expired", "expired"

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="assignments")
    to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="assignments"
    )
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["to", "state"]), models.Index(fields=["state"])]
        constraints = [
            models.UniqueConstraint(fields=["task", "to"], name="assignment_once_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.task} to {self.to}"


class AnnotatorSkill(models.Model):
    """How one person answers one kind of task, as last fitted over all answers: the posterior
    mean of being right, and with brands the whole confusion."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="skills",
        help_text="null: the model's proposal as one more weak annotator",
    )
    kind = models.CharField(max_length=10, choices=Task.Kind)
    accuracy = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    answers = models.PositiveIntegerField(default=0)
    confusion = models.JSONField(
        default=dict, blank=True, help_text="{truth: {said: probability}}, smoothed"
    )
    fitted_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["user_id", "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind"], nulls_distinct=False, name="skill_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} on {self.kind}: {self.accuracy:.2f}"


class Hold(models.Model):
    """A person whose fresh labels are not believed until somebody releases them."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="holds"
    )
    kind = models.CharField(max_length=10, choices=Task.Kind)
    reason = models.TextField(help_text="the figures that decided it")
    accuracy = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    answers = models.PositiveIntegerField(help_text="answers given before it")
    created_at = models.DateTimeField(auto_now_add=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    release_why = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind"],
                condition=Q(released_at__isnull=True),
                name="hold_one_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} held on {self.kind}"


class HeldLabel(models.Model):
    """A label that does not count while its hold stands."""

    label = models.OneToOneField(Label, on_delete=models.PROTECT, related_name="held")
    hold = models.ForeignKey(Hold, on_delete=models.CASCADE, related_name="labels")

    def __str__(self) -> str:
        return f"{self.label} under {self.hold}"


class BrandGroup(models.Model):
    """Brands that are learned together: a labeler passes one test for them all."""

    name = models.CharField(max_length=80, unique=True)
    brands = models.ManyToManyField(Brand, related_name="groups", blank=True)
    questions = models.PositiveSmallIntegerField(default=10, help_text="items in a test")
    pass_share = models.FloatField(default=0.8)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TestAttempt(models.Model):
    """One go at a brand group's qualification test."""

    __test__ = False  # not a test of ours, whatever pytest makes of its name

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="test_attempts"
    )
    group = models.ForeignKey(BrandGroup, on_delete=models.CASCADE, related_name="attempts")
    items = ArrayField(models.BigIntegerField(), help_text="ids of the gold items, in order")
    answers = models.JSONField(
        default=list, help_text="[{gold, answer, brand, right}] as far as it has got"
    )
    passed = models.BooleanField(null=True, blank=True, help_text="null: not finished")
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "group"],
                condition=Q(finished_at__isnull=True),
                name="test_one_open_attempt",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.group}"


class Invitation(models.Model):
    """A link by which a person makes their own account. Only the token's hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token_hash = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=150, help_text="who it is for")
    role = models.CharField(max_length=20)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="invitation",
    )

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} as {self.role}"
