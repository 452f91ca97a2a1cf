"""A release as an answer to a request."""

from django.http import StreamingHttpResponse

from active_learning.models import Release
from active_learning.release_export import prepare_export, zip_stream


def zip_response(release: Release) -> StreamingHttpResponse:
    """
    Raises:
        PromotionError, InputError: as of `prepare_export`.
    """
    name = f"release-{release.number}"
    stream = zip_stream(prepare_export(release=release), folder=name)
    response = StreamingHttpResponse(stream, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
