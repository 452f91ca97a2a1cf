"""The audit log: who changed what."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotation.access import PageRequest, Role, roles_allowed
from annotation.audit_filter import AuditFilter
from annotation.listing import listing
from annotation.selectors import audit as selectors


@require_safe
@roles_allowed(Role.OPERATIONS)
def audit(request: PageRequest) -> HttpResponse:
    """Entries newest first, each with its differences."""
    page = listing(request, queryset=selectors.entries(), filters=AuditFilter, per_page=40)
    rows = [
        {
            "entry": entry,
            "action": selectors.action_words(entry.action),
            "kind": selectors.subject_words(entry.subject_type),
            "changes": found,
            "more": more,
        }
        for entry in page.page
        for found, more in [selectors.changes(entry)]
    ]
    return render(request, "audit/list.html", {"listing": page, "rows": rows})
