"""The audit log over the API: to read."""

from rest_framework import serializers, viewsets

from annotation.access import Role
from annotation.audit_filter import AuditFilter
from annotation.models import AuditEntry
from annotation.selectors import audit as selectors
from annotation.serializers import named_by


class AuditSerializer(serializers.ModelSerializer):
    by = named_by("username")
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)

    class Meta:
        model = AuditEntry
        fields = [
            "id", "at", "by", "action", "subject_type", "subject_id", "subject", "before",
            "after", "why",
        ]  # fmt: skip


class AuditViewSet(viewsets.ReadOnlyModelViewSet):
    """Who changed what, newest first. `by` is null where the platform itself acted."""

    roles = (Role.OPERATIONS,)
    queryset = AuditEntry.objects.all()
    serializer_class = AuditSerializer
    filterset_class = AuditFilter

    def get_queryset(self):
        return selectors.entries()
