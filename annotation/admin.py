"""The admin site: mostly for looking. What the loop writes is not edited by hand."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from annotation import models


class ReadOnlyAdmin(admin.ModelAdmin):
    """For rows that only the platform writes, append-only ones among them."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(models.Brand)
class BrandAdmin(admin.ModelAdmin):
    list_display = ["key", "name_en", "name_zh", "state", "protected"]
    list_filter = ["state", "protected"]
    search_fields = ["key", "name_en", "name_zh"]
    readonly_fields = ["key"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class QualificationInline(admin.TabularInline):
    model = models.Qualification
    extra = 0
    autocomplete_fields = ["brand"]


@admin.register(models.Merchant)
class MerchantAdmin(admin.ModelAdmin):
    list_display = ["external_id", "name"]
    search_fields = ["external_id", "name"]
    inlines = [QualificationInline]


@admin.register(models.GuidelineVersion)
class GuidelineVersionAdmin(ReadOnlyAdmin):
    list_display = ["brand", "number", "state", "published_at", "published_by"]
    list_filter = ["state"]
    list_select_related = ["brand", "published_by"]


@admin.register(models.Product)
class ProductAdmin(ReadOnlyAdmin):
    list_display = ["external_id", "source", "title", "category", "price"]
    search_fields = ["external_id", "title"]


@admin.register(models.Image)
class ImageAdmin(ReadOnlyAdmin):
    list_display = ["sha256", "split", "source", "width", "height", "created_at"]
    list_filter = ["split", "source"]
    search_fields = ["sha256"]
    exclude = ["phash", "phash_bands"]


@admin.register(models.IngestBatch)
class IngestBatchAdmin(ReadOnlyAdmin):
    list_display = ["source", "directory", "split", "state", "started_at", "finished_at"]


@admin.register(models.SetAside)
class SetAsideAdmin(ReadOnlyAdmin):
    list_display = ["path", "reason", "created_at"]
    search_fields = ["path", "reason"]


@admin.register(models.Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "state", "strategy", "blind", "created_at", "answered_at"]
    list_filter = ["kind", "state", "strategy"]


@admin.register(models.Label)
class LabelAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "answer", "brand", "variation", "by", "source", "created_at"]
    list_filter = ["kind", "answer", "source"]
    list_select_related = ["brand", "by"]


@admin.register(models.Consensus)
class ConsensusAdmin(ReadOnlyAdmin):
    list_display = ["image", "kind", "answer", "brand", "votes", "agreement", "trusted"]
    list_filter = ["kind", "answer", "trusted"]
    list_select_related = ["image", "brand"]


@admin.register(models.LabelStudioProject)
class LabelStudioProjectAdmin(ReadOnlyAdmin):
    list_display = ["kind", "remote_id", "last_poll_at", "reconciled_at"]


@admin.register(models.LabelStudioAccount)
class LabelStudioAccountAdmin(ReadOnlyAdmin):
    """Who is who; never a password or a token."""

    list_display = ["email", "user", "remote_id", "owner"]
    fields = ["email", "user", "remote_id", "owner"]
    list_select_related = ["user"]


@admin.register(models.InboxEvent)
class InboxEventAdmin(ReadOnlyAdmin):
    list_display = ["id", "received_at", "processed_at", "error"]


@admin.register(models.Case)
class CaseAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "brand", "verdict", "state", "approved_by", "created_at"]
    list_filter = ["state", "kind", "verdict"]
    list_select_related = ["brand", "approved_by"]
    exclude = ["words"]


@admin.register(models.EmbeddingSpace)
class EmbeddingSpaceAdmin(ReadOnlyAdmin):
    list_display = ["id", "model", "state", "created_at", "served_at"]
    list_filter = ["state"]
