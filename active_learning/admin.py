"""The admin site: the loop's rows to look at. They are changed by its verbs alone."""

from django.contrib import admin

from active_learning import models
from annotation.admin import ReadOnlyAdmin


class RoundStepInline(admin.TabularInline):
    model = models.RoundStep
    can_delete = False
    extra = max_num = 0
    fields = ("name", "state", "attempts", "error", "started_at", "finished_at")
    readonly_fields = fields


@admin.register(models.Round)
class RoundAdmin(ReadOnlyAdmin):
    list_display = ["number", "state", "champion", "candidate", "created_at", "finished_at"]
    list_select_related = ["champion", "candidate"]
    inlines = [RoundStepInline]


@admin.register(models.Selection)
class SelectionAdmin(ReadOnlyAdmin):
    list_display = ["round", "strategy", "rank", "score", "focus_brand", "propensity"]
    list_filter = ["strategy"]
    list_select_related = ["round", "focus_brand"]


@admin.register(models.DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    list_display = ["sha256", "rows", "labels_until", "created_at"]


@admin.register(models.TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "state", "trigger", "attempts", "created_at", "finished_at"]
    list_filter = ["kind", "state", "trigger"]


@admin.register(models.Scan, models.Evaluation)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["id", "release", "state", "attempts", "created_at", "finished_at"]
    list_filter = ["state"]
    list_select_related = ["release"]


@admin.register(models.DatasetExport)
class DatasetExportAdmin(ReadOnlyAdmin):
    list_display = ["id", "dataset", "format", "state", "requested_by", "created_at"]
    list_filter = ["format", "state"]
    list_select_related = ["dataset", "requested_by"]


@admin.register(models.ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ["kind", "number", "dataset", "created_at"]
    list_filter = ["kind"]
    list_select_related = ["dataset"]


@admin.register(models.Release)
class ReleaseAdmin(ReadOnlyAdmin):
    list_display = ["number", "state", *models.ModelKind.values, "created_at"]
    list_filter = ["state"]
    list_select_related = models.ModelKind.values


@admin.register(models.PromotionEvent)
class PromotionEventAdmin(ReadOnlyAdmin):
    list_display = ["release", "previous", "action", "by", "why", "created_at"]
    list_filter = ["action"]
    list_select_related = ["release", "previous", "by"]


@admin.register(models.Measurement)
class MeasurementAdmin(ReadOnlyAdmin):
    list_display = ["name", "subject", "day", "value", "limit", "n", "state"]
    list_filter = ["name", "state"]


class DeliveryInline(admin.TabularInline):
    model = models.Delivery
    can_delete = False
    extra = max_num = 0
    fields = ("channel", "event", "state", "attempts", "error", "due_at", "delivered_at")
    readonly_fields = fields


@admin.register(models.Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ["name", "subject", "state", "value", "limit", "opened_at", "acknowledged_by"]
    list_filter = ["state", "name"]
    list_select_related = ["acknowledged_by"]
    inlines = [DeliveryInline]


@admin.register(models.RunMirror)
class RunMirrorAdmin(ReadOnlyAdmin):
    list_display = ["run", "told_state", "told_release", "attempts", "error", "told_at"]
    list_select_related = ["run"]


@admin.register(models.ColdStart)
class ColdStartAdmin(ReadOnlyAdmin):
    list_display = ["id", "brand", "state", "rounds_wanted", "created_at", "finished_at"]
    list_filter = ["state"]
    list_select_related = ["brand"]


@admin.register(models.Shadow)
class ShadowAdmin(ReadOnlyAdmin):
    list_display = ["id", "release", "state", "ends_at", "champion", "finished_at"]
    list_filter = ["state"]
    list_select_related = ["release", "champion"]


@admin.register(models.Source)
class SourceAdmin(ReadOnlyAdmin):
    list_display = ["name", "kind", "connector", "brand", "schedule", "enabled"]
    list_filter = ["kind", "connector", "enabled"]
    list_select_related = ["brand"]


@admin.register(models.SourceRun)
class SourceRunAdmin(ReadOnlyAdmin):
    list_display = ["id", "source", "state", "trigger", "attempts", "created_at", "finished_at"]
    list_filter = ["state", "trigger"]
    list_select_related = ["source"]
