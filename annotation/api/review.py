"""The reviewers' queue over the API: to read, and for operations to judge."""

from typing import cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from annotation import review
from annotation.access import STAFF, Role
from annotation.models import Brand, Flag
from annotation.models.label import Answer, Risk
from annotation.review import ReviewError, Verdict
from annotation.review_filters import FlagFilter
from annotation.selectors import review as selectors
from annotation.serializers import named_by


class FlagSerializer(serializers.ModelSerializer):
    image = named_by("sha256")
    brand = named_by("key")
    merchant = serializers.CharField(source="product.merchant.external_id", default=None)
    copied_from = named_by("sha256")
    decided_by = named_by("username")

    class Meta:
        model = Flag
        fields = [
            "id", "image", "product", "merchant", "brand", "score", "risk", "severity", "evidence",
            "release", "state", "verdict", "copied_from", "decided_by", "decided_at", "created_at",
        ]  # fmt: skip


class VerdictSerializer(serializers.Serializer):
    """What is to be seen; `brand` and, if it is one, `risk` with the answer `brand` alone."""

    answer = serializers.ChoiceField(Answer.choices)
    brand = serializers.SlugRelatedField(
        slug_field="key", queryset=Brand.objects.all(), required=False, allow_null=True
    )
    risk = serializers.ChoiceField(Risk.choices, required=False, allow_blank=True)


class FlagViewSet(viewsets.ReadOnlyModelViewSet):
    """Flagged images, worst first; those still to decide unless a state is named."""

    roles = STAFF
    write_roles = (Role.OPERATIONS,)
    queryset = Flag.objects.all()
    serializer_class = FlagSerializer

    @property
    def filterset_class(self) -> type[FlagFilter] | None:
        return FlagFilter if self.action == "list" else None  # any flag can be read by its number

    def get_queryset(self) -> QuerySet[Flag]:
        return selectors.flags()

    @extend_schema(request=VerdictSerializer, responses=FlagSerializer)
    @action(detail=True, methods=["post"])
    def verdict(self, request: Request, pk: int) -> Response:
        """Decide a flag: an audit label, and every open flag of the image is closed."""
        sent = VerdictSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        said = sent.validated_data
        verdict = Verdict(said["answer"], said.get("brand"), said.get("risk", ""))
        try:
            review.decide(flag=self.get_object(), verdict=verdict, by=cast(User, request.user))
        except ReviewError as error:
            raise ValidationError({"detail": str(error)}) from error
        return Response(self.get_serializer(self.get_object()).data)
