"""Annotation over the API: to read."""

from rest_framework import viewsets
from rest_framework.routers import SimpleRouter

from annotation import selectors
from annotation.access import STAFF
from annotation.api.annotators import GoldViewSet, HoldViewSet, SkillViewSet
from annotation.api.audit import AuditViewSet
from annotation.api.cases import CaseViewSet
from annotation.api.guidelines import GuidelineViewSet
from annotation.api.missed import MissedRiskViewSet
from annotation.api.products import MerchantViewSet, ProductViewSet
from annotation.api.questions import QuestionViewSet, ReturnedTaskViewSet
from annotation.api.review import FlagViewSet
from annotation.filters import BrandFilter, ImageFilter, LabelFilter, TaskFilter
from annotation.models import Brand, Image, Label, Task
from annotation.serializers import (
    BrandSerializer,
    ImageSerializer,
    LabelSerializer,
    TaskSerializer,
)


class BrandViewSet(viewsets.ReadOnlyModelViewSet):
    """Brands, with the version of the published guideline."""

    roles = STAFF
    queryset = Brand.objects.all()
    serializer_class = BrandSerializer
    filterset_class = BrandFilter
    lookup_field = "key"

    def get_queryset(self):
        return selectors.brands()


class ImageViewSet(viewsets.ReadOnlyModelViewSet):
    """Images and what their labels come to."""

    roles = STAFF
    queryset = Image.objects.all()
    serializer_class = ImageSerializer
    filterset_class = ImageFilter
    lookup_field = "sha256"

    def get_queryset(self):
        return selectors.images()


class TaskViewSet(viewsets.ReadOnlyModelViewSet):
    """What people are asked, and why."""

    roles = STAFF
    queryset = Task.objects.all()
    serializer_class = TaskSerializer
    filterset_class = TaskFilter

    def get_queryset(self):
        return selectors.tasks()


class LabelViewSet(viewsets.ReadOnlyModelViewSet):
    """Labels in force, newest first."""

    roles = STAFF
    queryset = Label.objects.all()
    serializer_class = LabelSerializer
    filterset_class = LabelFilter

    def get_queryset(self):
        return selectors.labels()


router = SimpleRouter(use_regex_path=False)
router.register("brands", BrandViewSet)
router.register("images", ImageViewSet)
router.register("tasks", TaskViewSet)
router.register("labels", LabelViewSet)
router.register("cases", CaseViewSet)
router.register("questions", QuestionViewSet)
router.register("returned-tasks", ReturnedTaskViewSet)
router.register("missed-risks", MissedRiskViewSet)
router.register("audit", AuditViewSet)
router.register("gold", GoldViewSet, basename="api-gold")
router.register("holds", HoldViewSet, basename="api-hold")
router.register("skills", SkillViewSet, basename="api-skill")
router.register("guidelines", GuidelineViewSet, basename="guideline")
router.register("flags", FlagViewSet)
router.register("products", ProductViewSet)
router.register("merchants", MerchantViewSet)
