"""The labelling page of the guides: a real Label Studio with the open tasks of `tests.guide_rows`
in it, behind the gateway."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.contrib.auth.models import User
from django.core.cache import cache
from django.test.utils import override_settings
from django.utils import timezone

from annotation.labelstudio.projects import ensure_projects
from annotation.labelstudio.push import push_tasks
from annotation.models import BrandGroup, LabelStudioProject, Task, TestAttempt
from tests.annotation.labelstudio.server import EMAIL, PASSWORD, LabelStudioServer
from tests.gateway_server import GatewayServer


@contextmanager
def labelling_page(*, user: User, home: Path) -> Iterator[str]:
    """The address of this labeler's stream of brand tasks, as long as the servers run."""
    server, gateway = LabelStudioServer(home), GatewayServer()
    ours = {
        "LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_EMAIL": EMAIL,
        "LABEL_STUDIO_PASSWORD": PASSWORD, "LABEL_STUDIO_TOKEN": "",
        "GATEWAY_URL": gateway.url, "GATEWAY_INTERNAL_URL": gateway.url, "GOLD_RATE": 0,
    }  # fmt: skip
    try:
        server.start()
        with override_settings(**ours):
            _hand_over(user)
            project = LabelStudioProject.objects.get(kind=Task.Kind.BRAND)
            yield f"{gateway.url}/projects/{project.remote_id}/data?labeling=1"
    finally:
        gateway.stop()
        server.stop()


def _hand_over(user: User) -> None:
    """The open tasks of everybody into real projects, and this person's test passed."""
    cache.clear()
    open_tasks = Task.objects.filter(state=Task.State.PUSHED)
    open_tasks.filter(labels__isnull=False).update(state=Task.State.WITHDRAWN)
    open_tasks.exclude(only_for=None).update(state=Task.State.WITHDRAWN)
    open_tasks.filter(is_gold=True).update(state=Task.State.WITHDRAWN)
    open_tasks.update(state=Task.State.WAITING, remote_id=None, pushed_at=None)
    Task.objects.exclude(state=Task.State.WAITING).update(remote_id=None)
    LabelStudioProject.objects.all().delete()
    for group in BrandGroup.objects.all():
        TestAttempt.objects.create(
            user=user, group=group, items=[], passed=True, finished_at=timezone.now()
        )
    ensure_projects()
    push_tasks()
