"""Holds, gold items and fitted skills over the API."""

from typing import Any, cast

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.access import Role
from annotation.filters import GoldFilter
from annotation.gold import GoldError, retire_gold
from annotation.holds import HoldError, release
from annotation.models import AnnotatorSkill, GoldItem, Hold
from annotation.selectors import gold as selectors
from annotation.serializers import named_by

OPERATIONS = (Role.OPERATIONS,)


class Refused(APIException):
    """What was asked cannot be done in the state things are in."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "refused"


class SkillSerializer(serializers.ModelSerializer):
    user = named_by("username")

    class Meta:
        model = AnnotatorSkill
        fields = ["id", "user", "kind", "accuracy", "low", "high", "answers", "fitted_at"]


class HoldSerializer(serializers.ModelSerializer):
    user = named_by("username")
    released_by = named_by("username")

    class Meta:
        model = Hold
        fields = [
            "id", "user", "kind", "reason", "accuracy", "low", "high", "answers", "created_at",
            "released_at", "released_by", "release_why",
        ]  # fmt: skip


class HoldReleaseSerializer(serializers.Serializer):
    """`keep`: the held labels count again; otherwise they stay out."""

    why = serializers.CharField()
    keep = serializers.BooleanField()


class GoldSerializer(serializers.ModelSerializer):
    image = serializers.CharField(source="image.sha256")
    brand = named_by("key")
    added_by = named_by("username")

    class Meta:
        model = GoldItem
        fields = [
            "id", "image", "kind", "answer", "brand", "variation", "boxes", "explanation", "state",
            "added_by", "created_at", "retired_at",
        ]  # fmt: skip


class GoldWhySerializer(serializers.Serializer):
    why = serializers.CharField(required=False, default="")


class SkillViewSet(viewsets.ReadOnlyModelViewSet):
    """How well people answer, as last fitted; no user: the model."""

    roles = OPERATIONS
    queryset = AnnotatorSkill.objects.select_related("user")
    serializer_class = SkillSerializer
    filterset_fields = ["kind", "user__username"]


class HoldViewSet(viewsets.ReadOnlyModelViewSet):
    """People whose labels are, or were, held."""

    roles = write_roles = OPERATIONS
    queryset = Hold.objects.select_related("user", "released_by")
    serializer_class = HoldSerializer
    filterset_fields = {"kind": ["exact"], "released_at": ["isnull"]}

    @extend_schema(request=HoldReleaseSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, **kwargs: Any) -> Response:
        """Believe a person again."""
        form = HoldReleaseSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            released = release(
                hold=self.get_object(), by=cast(User, request.user), **form.validated_data
            )
        except HoldError as error:
            raise Refused(str(error)) from error
        return Response(HoldSerializer(released).data)


class GoldViewSet(viewsets.ReadOnlyModelViewSet):
    """Gold items with their right answers."""

    roles = write_roles = OPERATIONS
    queryset = GoldItem.objects.all()
    serializer_class = GoldSerializer
    filterset_class = GoldFilter

    def get_queryset(self):
        return selectors.items()

    @extend_schema(request=GoldWhySerializer, responses=GoldSerializer)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, **kwargs: Any) -> Response:
        """Show an item no more."""
        form = GoldWhySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            item = retire_gold(
                item=self.get_object(), by=cast(User, request.user), **form.validated_data
            )
        except GoldError as error:
            raise Refused(str(error)) from error
        return Response(GoldSerializer(item).data)
