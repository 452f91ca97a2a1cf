"""With the real Label Studio: out, answered by simulated labelers, and back."""

import time

import pytest

from annotation.labelstudio.inbox import process_inbox
from annotation.labelstudio.poll import poll_annotations
from annotation.labelstudio.push import push_tasks
from annotation.models import InboxEvent, Label, Task
from tests.annotation.labelstudio.conftest import labelers_for, run_until, tasks_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.labelstudio,
    pytest.mark.urls("annotation.labelstudio.urls"),
]


def test_tasks_of_all_kinds_go_out_and_their_answers_come_in_by_webhook(label_studio, world):
    tasks = [
        task for kind in ("brand", "boxes", "variation") for task in tasks_of(world, 12, kind=kind)
    ]
    assert push_tasks() == 36
    labelers = labelers_for(tasks, count=3)
    begun = time.monotonic()
    assert run_until(labelers, 36) == 36
    print(f"{36 / (time.monotonic() - begun):.1f} answers a second")
    assert InboxEvent.objects.filter(processed_at=None).count() == 36
    assert process_inbox() == 36
    assert poll_annotations() == 0, "what the webhook brought is not written again"
    assert Task.objects.filter(state="answered").count() == 36
    for task in tasks:
        label = task.labels.get()
        assert label.by.username.startswith("simulated-labeler-")
        if task.kind == "brand":
            assert label.brand == task.focus_brand
        elif task.kind == "boxes":
            (box,) = label.boxes
            assert box["brand"] == task.focus_brand.key
            assert abs(box["x1"] - 10) <= 2
            assert abs(box["y2"] - 60) <= 2
        else:
            assert label.variation == "stack"
    assert Label.objects.count() == 36
