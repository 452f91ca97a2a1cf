"""Merchants and products over the API: to read."""

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers, viewsets

from annotation.access import STAFF
from annotation.models import Merchant, Product, Qualification
from annotation.review_filters import MerchantFilter, ProductFilter
from annotation.selectors import products as selectors
from annotation.serializers import named_by


class ProductSerializer(serializers.ModelSerializer):
    merchant = named_by("external_id")
    open_flags = serializers.IntegerField()
    worst = serializers.FloatField(help_text="severity of the worst open flag")
    confirmed = serializers.BooleanField(help_text="whether a risk was confirmed")

    class Meta:
        model = Product
        fields = [
            "id", "source", "external_id", "merchant", "title", "category", "price", "open_flags",
            "worst", "confirmed",
        ]  # fmt: skip


class QualificationSerializer(serializers.ModelSerializer):
    brand = named_by("key")

    class Meta:
        model = Qualification
        fields = ["brand", "valid_from", "valid_to"]


class MerchantSerializer(serializers.ModelSerializer):
    qualifications = QualificationSerializer(many=True)
    open_flags = serializers.IntegerField()
    confirmed = serializers.IntegerField()

    class Meta:
        model = Merchant
        fields = ["id", "external_id", "name", "qualifications", "open_flags", "confirmed"]


class ProductViewSet(viewsets.ReadOnlyModelViewSet):
    """Products with how many of their pictures are flagged."""

    roles = STAFF
    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    filterset_class = ProductFilter

    def get_queryset(self) -> QuerySet[Product]:
        return selectors.products().order_by("pk")


class MerchantViewSet(viewsets.ReadOnlyModelViewSet):
    """Merchants with their licences and flags."""

    roles = STAFF
    queryset = Merchant.objects.all()
    serializer_class = MerchantSerializer
    filterset_class = MerchantFilter

    def get_queryset(self) -> QuerySet[Merchant]:
        return selectors.merchants().prefetch_related(
            Prefetch("qualifications", Qualification.objects.select_related("brand"))
        )
