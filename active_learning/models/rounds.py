"""Rounds of the loop: their steps, and what was chosen and why."""

from django.db import models
from django.db.models import Q

from active_learning.models.coldstarts import ColdStart
from active_learning.models.dataset import DatasetVersion
from active_learning.models.jobs import Scan
from active_learning.models.registry import Release
from annotation.models import Brand, Task


class Round(models.Model):
    class State(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    number = models.PositiveIntegerField(unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    seed = models.PositiveIntegerField()
    config = models.JSONField(
        default=dict, help_text="{budget: {brand, boxes, variation}, mix: {strategy: share}, …}"
    )
    champion = models.ForeignKey(
        Release,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="the release that scanned the pool",
    )
    candidate = models.ForeignKey(
        Release, on_delete=models.PROTECT, null=True, blank=True, related_name="rounds"
    )
    cold_start = models.ForeignKey(
        ColdStart, on_delete=models.PROTECT, null=True, blank=True, related_name="rounds"
    )
    scan = models.ForeignKey(Scan, on_delete=models.PROTECT, null=True, blank=True)
    dataset = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="running"), name="round_one_running"
            )
        ]

    def __str__(self) -> str:
        return f"round {self.number}"


class RoundStep(models.Model):
    """One step of a round. Done once, and safe to do again until it is."""

    class Name(models.TextChoices):
        SCAN = "scan", "scan"
        SELECT = "select", "select"
        PUSH = "push", "push"
        COLLECT = "collect", "collect"
        FREEZE = "freeze", "freeze dataset"
        TRAIN = "train", "train"
        EVALUATE = "evaluate", "evaluate"
        GATE = "gate", "gate"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=10, choices=Name)
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["round_id", "position"]
        constraints = [models.UniqueConstraint(fields=["round", "name"], name="round_step_once")]

    def __str__(self) -> str:
        return f"{self.round}: {self.name}"


class Selection(models.Model):
    """Why an item was put before a person."""

    round = models.ForeignKey(Round, on_delete=models.PROTECT, related_name="selections")
    task = models.OneToOneField(Task, on_delete=models.PROTECT, related_name="selection")
    strategy = models.CharField(max_length=30)
    score = models.FloatField(help_text="what the strategy ranked by")
    rank = models.PositiveIntegerField()
    focus_brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    propensity = models.FloatField(
        null=True, blank=True, help_text="chance of being drawn, where the draw was random"
    )

    class Meta:
        ordering = ["round_id", "strategy", "rank"]
        indexes = [models.Index(fields=["strategy", "focus_brand"])]

    def __str__(self) -> str:
        return f"{self.strategy} #{self.rank}"
