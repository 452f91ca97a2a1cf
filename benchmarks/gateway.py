"""What the gateway adds to a request: pairs of the same request, to Label Studio itself and through
the gateway, of a running platform. `python -m benchmarks.gateway [--pairs N] [--json F]`.

Run it while the platform is up (`manage.py up`) and at rest; it asks, and answers nothing.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    django.setup()
    rows = measure(pairs=arguments.pairs)
    print(f"{'request':<12}{'direct':>9}{'gateway':>9}{'added':>9}{'p95':>9}  ms")
    for row in rows:
        figures = "".join(f"{row[name]:9.1f}" for name in ("direct", "gateway", "added", "p95"))
        print(f"{row['request']:<12}{figures}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"pairs": arguments.pairs, "rows": rows}, indent=2))
    return 0


def measure(*, pairs: int) -> list[dict]:
    """Medians in ms of both ways and of the difference in a pair, and its 95th percentile."""
    from django.conf import settings
    from django.contrib.auth.models import Group, User
    from django.utils import timezone

    from annotation.gateway.labeler import GatewayLabeler
    from annotation.gateway.upstream import Visitor
    from annotation.models import Assignment, LabelStudioProject, Task

    user, _ = User.objects.get_or_create(username="benchmark-labeler")
    user.groups.add(Group.objects.get(name="labeler"))
    task = Task.objects.filter(state="pushed", is_gold=False, only_for=None).first()
    if task is None:
        raise SystemExit("no task is in Label Studio: open a round first")
    until = timezone.now() + timedelta(hours=1)
    Assignment.objects.update_or_create(
        task=task, to=user, defaults={"expires_at": until, "state": Assignment.State.OPEN}
    )
    project = LabelStudioProject.objects.get(kind=task.kind).remote_id
    asks = {
        "page": ("GET", f"/projects/{project}/data?labeling=1"),
        "opened again": ("POST", f"/api/dm/actions?id=next_task&project={project}"),
        "task": ("GET", f"/api/tasks/{task.remote_id}/"),
        "project": ("GET", f"/api/projects/{project}/"),
        "script": ("GET", "/static/js/jquery.min.js"),
        "next task": ("POST", f"/api/dm/actions?id=next_task&project={project}"),
    }
    try:
        with GatewayLabeler(user) as labeler:
            direct = Visitor(user)
            labeler.http.get(f"{settings.GATEWAY_INTERNAL_URL}/api/version")

            def ours(method: str, path: str) -> None:
                answer = labeler.http.request(method, path, json={} if method == "POST" else None)
                answer.raise_for_status()

            def theirs(method: str, path: str) -> None:
                answer = direct.open(method, path, body={} if method == "POST" else None)
                answer.read()
                answer.close()
                if answer.status_code >= 400:
                    raise SystemExit(f"{path} gave {answer.status_code}")

            def unseen() -> None:
                """The next task is then one this person sees for the first time."""
                Assignment.objects.filter(to=user).delete()

            prepare = {"next task": unseen}
            return [
                _pairs(name, ask, (theirs, ours), pairs, prepare.get(name, lambda: None))
                for name, ask in asks.items()
            ]
    finally:
        Assignment.objects.filter(to=user).delete()
        user.delete()


def _pairs(
    name: str,
    ask: tuple[str, str],
    ways: tuple[Callable, Callable],
    pairs: int,
    prepare: Callable[[], None],
) -> dict[str, object]:
    direct: list[float] = []
    gateway: list[float] = []
    for number in range(pairs + 5):
        prepare()
        # Which comes first takes turns; the first pairs warm both sides up.
        for way, times in ((ways[0], direct), (ways[1], gateway))[:: 1 if number % 2 else -1]:
            began = time.perf_counter()
            way(*ask)
            times.append((time.perf_counter() - began) * 1000)
    direct, gateway = direct[5:], gateway[5:]
    added = sorted(b - a for a, b in zip(direct, gateway, strict=True))
    return {
        "request": name,
        "direct": statistics.median(direct),
        "gateway": statistics.median(gateway),
        "added": statistics.median(added),
        "p95": added[int(len(added) * 0.95)],
    }


if __name__ == "__main__":
    raise SystemExit(main())
