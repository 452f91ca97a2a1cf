"""Who sells what, and which brands they may sell."""

from django.db import models
from django.db.models import F, Q

from annotation.models.brand import Brand


class Merchant(models.Model):
    external_id = models.CharField(max_length=120, unique=True)
    name = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["external_id"]

    def __str__(self) -> str:
        return self.name or self.external_id


class Qualification(models.Model):
    """A merchant's licence for a brand over a span of days."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="qualifications")
    brand = models.ForeignKey(Brand, on_delete=models.CASCADE, related_name="qualifications")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["merchant_id", "brand_id", "valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "brand", "valid_from"], name="qualification_once"
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
                name="qualification_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merchant} · {self.brand}"


class Product(models.Model):
    source = models.CharField(max_length=40)
    external_id = models.CharField(max_length=120)
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, null=True, blank=True, related_name="products"
    )
    title = models.TextField(blank=True)
    category = models.CharField(max_length=120, blank=True)
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="product_once")
        ]

    def __str__(self) -> str:
        return self.title[:60] or self.external_id
