"""Embeddings in the database: what "like this" is answered from."""

from django.db import models
from django.db.models import Q
from pgvector.django import HalfVectorField, HnswIndex

from annotation.models.case import Case
from annotation.models.image import Image

VECTOR_LENGTH = 128  # shorter embeddings are padded with zeros, longer ones projected


class EmbeddingSpace(models.Model):
    """What one classifier's embeddings span: only vectors of one space can be compared. While the
    space of a new champion is being filled the old one serves."""

    class State(models.TextChoices):
        FILLING = "filling", "filling"
        SERVING = "serving", "serving"
        RETIRED = "retired", "retired"

    model = models.CharField(max_length=200, unique=True, help_text="folder of the classifier")
    state = models.CharField(max_length=10, choices=State, default=State.FILLING)
    created_at = models.DateTimeField(auto_now_add=True)
    served_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="serving"), name="space_one_serving"
            )
        ]

    def __str__(self) -> str:
        return f"space {self.pk} ({self.state})"


class CaseVector(models.Model):
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="vectors")
    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="+")
    vector = HalfVectorField(dimensions=VECTOR_LENGTH, help_text="L2-normalised")
    compared = models.BooleanField(
        default=False, help_text="contradictions among its neighbours have been looked for"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "space"], name="case_vector_once"),
        ]
        indexes = [
            models.Index(
                fields=["space"], condition=Q(compared=False), name="case_vector_to_compare"
            ),
            HnswIndex(
                name="case_vector_hnsw",
                fields=["vector"],
                m=16,
                ef_construction=64,
                opclasses=["halfvec_ip_ops"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case} in {self.space}"


class ImageVector(models.Model):
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="vectors")
    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="+")
    vector = HalfVectorField(dimensions=VECTOR_LENGTH, help_text="L2-normalised")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image", "space"], name="image_vector_once"),
        ]
        indexes = [
            HnswIndex(
                name="image_vector_hnsw",
                fields=["vector"],
                m=16,
                ef_construction=64,
                opclasses=["halfvec_ip_ops"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.image} in {self.space}"
