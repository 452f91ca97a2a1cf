"""Missed risks over the API: to read, and for operations to enter."""

from typing import cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.access import STAFF, Role
from annotation.missed import Finding, MissedRiskError, enter_missed_risk, read_upload
from annotation.missed_filters import MissedRiskFilter
from annotation.missed_table import find_image, find_product
from annotation.models import Brand, MissedRisk
from annotation.models.label import Risk
from annotation.selectors import missed as selectors
from annotation.serializers import named_by


class MissedRiskSerializer(serializers.ModelSerializer):
    image = named_by("sha256")
    split = serializers.CharField(source="image.split", read_only=True)
    brand = named_by("key")
    entered_by = named_by("username")

    class Meta:
        model = MissedRisk
        fields = [
            "id", "image", "split", "brand", "channel", "risk", "has_logo", "found_on", "note",
            "label", "entered_by", "created_at",
        ]  # fmt: skip


class FoundSerializer(serializers.Serializer):
    """A missed risk as sent: `picture` (a file), or `image` (the sha256 of a known one), or
    `product` (`source/id`) that has just one."""

    brand = serializers.SlugRelatedField(slug_field="key", queryset=Brand.objects.all())
    risk = serializers.ChoiceField(Risk.choices)
    channel = serializers.ChoiceField(MissedRisk.Channel.choices)
    found_on = serializers.DateField()
    has_logo = serializers.BooleanField(required=False, allow_null=True, default=None)
    note = serializers.CharField(required=False, allow_blank=True, default="")
    picture = serializers.FileField(required=False)
    image = serializers.CharField(required=False, allow_blank=True, default="")
    product = serializers.CharField(required=False, allow_blank=True, default="")


class EnteredSerializer(MissedRiskSerializer):
    """`stays` says why the image is not where its date would have put it; empty when it is."""

    stays = serializers.CharField()

    class Meta(MissedRiskSerializer.Meta):
        fields = [*MissedRiskSerializer.Meta.fields, "stays"]


class MissedRiskViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[MissedRisk]
):
    """Risks that the models missed, last found first."""

    roles = STAFF
    write_roles = (Role.OPERATIONS,)
    queryset = MissedRisk.objects.all()
    serializer_class = MissedRiskSerializer
    filterset_class = MissedRiskFilter
    parser_classes = [JSONParser, MultiPartParser, FormParser]

    def get_queryset(self) -> QuerySet[MissedRisk]:
        return selectors.missed_risks()

    @extend_schema(request=FoundSerializer, responses={201: EnteredSerializer})
    def create(self, request: Request) -> Response:
        """Enter one; its label is an audit's."""
        sent = FoundSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        said = dict(sent.validated_data)
        picture, sha256, key = said.pop("picture", None), said.pop("image"), said.pop("product")
        try:
            product = find_product(key) if key else None
            upload = read_upload(picture) if picture else None
            entered = enter_missed_risk(
                finding=Finding(**said),
                image=find_image(sha256, product) if upload is None or sha256 else None,
                upload=upload,
                product=product,
                by=cast(User, request.user),  # the permission lets nobody else in
            )
        except MissedRiskError as error:
            raise ValidationError({"detail": str(error)}) from error
        entered.missed.stays = entered.stays  # type: ignore[attr-defined]  # for the serializer
        return Response(EnteredSerializer(entered.missed).data, status=status.HTTP_201_CREATED)
