"""The nouns of annotation, one module each."""

from annotation.models.audit import AuditEntry
from annotation.models.brand import Brand, Feature, FeatureExample, GuidelineVersion
from annotation.models.case import Case
from annotation.models.catalogue import Merchant, Product, Qualification
from annotation.models.conflict import CaseConflict
from annotation.models.image import Image, ImageGroup, IngestBatch, SetAside
from annotation.models.label import Consensus, Label
from annotation.models.quality import (
    AnnotatorSkill,
    Assignment,
    BrandGroup,
    GoldItem,
    HeldLabel,
    Hold,
    Invitation,
    TestAttempt,
)
from annotation.models.question import Question, ReturnedTask
from annotation.models.review import Flag, ImageCopy, MissedRisk
from annotation.models.sync import InboxEvent, LabelStudioAccount, LabelStudioProject
from annotation.models.task import Task
from annotation.models.vector import CaseVector, EmbeddingSpace, ImageVector

__all__ = [
    "AnnotatorSkill",
    "Assignment",
    "AuditEntry",
    "Brand",
    "BrandGroup",
    "Case",
    "CaseConflict",
    "CaseVector",
    "Consensus",
    "EmbeddingSpace",
    "Feature",
    "FeatureExample",
    "Flag",
    "GoldItem",
    "GuidelineVersion",
    "HeldLabel",
    "Hold",
    "Image",
    "ImageCopy",
    "ImageGroup",
    "ImageVector",
    "InboxEvent",
    "IngestBatch",
    "Invitation",
    "Label",
    "LabelStudioAccount",
    "LabelStudioProject",
    "Merchant",
    "MissedRisk",
    "Product",
    "Qualification",
    "Question",
    "ReturnedTask",
    "SetAside",
    "Task",
    "TestAttempt",
]
