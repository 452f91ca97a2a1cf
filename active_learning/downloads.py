"""Files and folders sent as they are read: memory stays flat however large they are."""

from django.http import FileResponse, Http404, StreamingHttpResponse
from django.utils.translation import gettext as _

from active_learning.exports import file_of
from active_learning.models import DatasetExport, JobState, Release
from active_learning.release_export import prepare_export, zip_stream


def export_response(export: DatasetExport) -> FileResponse:
    """The zip file of an export.

    Raises:
        Http404: there is none (yet).
    """
    path = file_of(export)
    if export.state != JobState.SUCCEEDED or not path.is_file():
        raise Http404(_("This export has no file."))
    return FileResponse(path.open("rb"), as_attachment=True, filename=path.name)


def zip_response(release: Release) -> StreamingHttpResponse:
    """A release with its models, packed while it is sent.

    Raises:
        PromotionError, InputError: as of `prepare_export`.
    """
    name = f"release-{release.number}"
    stream = zip_stream(prepare_export(release=release), folder=name)
    response = StreamingHttpResponse(stream, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
