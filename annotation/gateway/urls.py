"""Every address of the gateway. What is not here is not passed on; where an address looks like one
of Label Studio's, ours is written anew from its numbers."""

from collections.abc import Callable

from django.urls import URLPattern, path, re_path

from annotation.gateway import answers, canned, files, keyboard, pages, stream

_NUMBER = r"[0-9]{1,15}"


def _api(route: str, view: Callable) -> URLPattern:
    """Label Studio's page writes some of its addresses with a slash at the end and some without.
    `<name>` stands for a number."""
    pattern = route.replace("<", "(?P<").replace(">", f">{_NUMBER})")

    def called(request, **found):
        return view(request, **{name: int(value) for name, value in found.items()})

    return re_path(rf"^api/{pattern}/?\Z", called, name=f"api:{route}")


urlpatterns = [
    path("", pages.my_work, name="entrance"),
    path("tasks/<uuid:pk>/", pages.open_task, name="open-task"),
    path("projects/<int:project>/data", pages.stream, name="stream"),
    path("projects/", pages.my_work, name="projects"),
    path("user/login/", pages.my_work, name="their-login"),
    path("user/logout/", pages.my_work, name="their-logout"),
    path("sw.js", canned.worker, name="service-worker"),
    re_path(
        r"^(?P<folder>static|react-app|label-studio-frontend|dm)/(?P<name>[^?]+)\Z",
        files.static,
        name="static",
    ),
    path("touchstone/brands.json", keyboard.brands, name="brands"),
    path("touchstone/<str:name>", keyboard.file, name="keyboard"),
    _api("current-user/whoami", stream.whoami),
    _api("version", canned.version),
    _api("projects/<project>", stream.project),
    _api("projects/<project>/label-stream-history", stream.history),
    _api("dm/project", stream.project_state),
    _api("dm/views", canned.views),
    _api("dm/views/<view>", canned.views),
    _api("dm/columns", stream.columns),
    _api("dm/actions", stream.actions),
    _api("tasks", canned.tasks),
    _api("tasks/<remote_id>", stream.task),
    _api("tasks/<remote_id>/annotations", answers.annotations),
    _api("tasks/<remote_id>/drafts", answers.drafts),
    _api("tasks/<remote_id>/annotations/<annotation_id>/drafts", answers.drafts),
    _api("annotations/<remote_id>", answers.annotation),
    _api("drafts/<remote_id>", answers.draft),
    _api("users", canned.nothing),
    _api("ml", canned.nothing),
    _api("label_links", canned.no_results),
]
handler400 = "annotation.gateway.pages.bad"
handler404 = "annotation.gateway.pages.denied"
handler403 = "annotation.gateway.pages.denied"
handler500 = "annotation.gateway.pages.failed"
