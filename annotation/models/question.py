"""Labelers' doubts, and work that goes back to a labeler."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.brand import Brand
from annotation.models.case import Case
from annotation.models.label import Answer, Label
from annotation.models.task import Task


class Question(models.Model):
    """A doubt written inside a task. Answering it may make a case."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        ANSWERED = "answered", "answered"
        DISMISSED = "dismissed", "dismissed"

    label = models.OneToOneField(Label, on_delete=models.PROTECT, related_name="asked")
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="questions")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="questions"
    )
    text = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    reply = models.TextField(blank=True)
    answer = models.CharField(max_length=10, choices=Answer, blank=True)
    brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    case = models.ForeignKey(
        Case, on_delete=models.PROTECT, null=True, blank=True, related_name="questions"
    )
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    seen_at = models.DateTimeField(null=True, blank=True, help_text="by the asker")

    class Meta:
        ordering = ["asked_at", "pk"]
        indexes = [models.Index(fields=["state", "asked_at"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open") | Q(answered_at__isnull=False),
                name="question_closed_has_time",
            )
        ]

    def __str__(self) -> str:
        return self.text[:60]


class ReturnedTask(models.Model):
    """A task given back to the one person who answered it, to be done again with a comment."""

    class Reason(models.TextChoices):
        QUESTION = "question", "question answered"
        SENT_BACK = "sent_back", "sent back"

    class State(models.TextChoices):
        OPEN = "open", "open"
        DONE = "done", "done"
        CANCELLED = "cancelled", "cancelled"

    label = models.ForeignKey(Label, on_delete=models.PROTECT, related_name="returns")
    task = models.OneToOneField(
        Task,
        on_delete=models.PROTECT,
        related_name="returned",
        help_text="the new task that asks again, for this person alone",
    )
    to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="returned_tasks"
    )
    reason = models.CharField(max_length=10, choices=Reason)
    comment = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    question = models.OneToOneField(
        Question, on_delete=models.PROTECT, null=True, blank=True, related_name="returned"
    )
    returned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "pk"]
        indexes = [models.Index(fields=["to", "state"])]
        constraints = [
            models.UniqueConstraint(
                fields=["label"], condition=Q(state="open"), name="returned_once_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason}: {self.comment[:60]}"
