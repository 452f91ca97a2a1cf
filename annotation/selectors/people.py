"""Reads for the page of people."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from annotation.models import Assignment, Invitation, Label


def people() -> QuerySet[User]:
    """Everybody with their roles, by name: `label_count` and `last_label_at` of theirs, and how
    many tasks they have open now (`handed`)."""
    labels = Label.objects.filter(by=OuterRef("pk"), retracted=False, superseded_by=None)
    counted = labels.order_by().values("by")
    handed = Assignment.objects.filter(
        to=OuterRef("pk"), state=Assignment.State.OPEN, expires_at__gt=timezone.now()
    )
    return (
        User.objects.prefetch_related("groups")
        .annotate(
            label_count=Coalesce(Subquery(counted.annotate(n=Count("pk")).values("n")), 0),
            last_label_at=Subquery(counted.annotate(at=Max("created_at")).values("at")),
            handed=Coalesce(
                Subquery(handed.order_by().values("to").annotate(n=Count("pk")).values("n")), 0
            ),
        )
        .order_by("-is_active", "username")
    )


def open_invitations() -> QuerySet[Invitation]:
    """Those not accepted and not taken back; the lapsed ones of the last week among them."""
    since = timezone.now() - timedelta(days=7)
    return Invitation.objects.filter(
        Q(expires_at__gt=since), accepted_at=None, revoked_at=None
    ).select_related("invited_by")
