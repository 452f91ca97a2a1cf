"""Sources of `tests.demo_rows`: the product table that its images come from, and a search."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from active_learning.models import Source, SourceRun
from annotation.models import Brand, Image, IngestBatch, SetAside


def make_sources(brands: list[Brand], by: User) -> None:
    """A source that was taken in, with what it refused, and one whose run is under way."""
    now = timezone.now()
    batch = IngestBatch.objects.get(source="product_table")
    taken = Image.objects.filter(batch=batch).count()
    table = Source.objects.create(
        name="product_table", kind="product_table", connector="csv", schedule="0 3 * * *",
        place={"path": "/data/products/products.csv"}, created_by=by,
    )  # fmt: skip
    SourceRun.objects.create(
        source=table, batch=batch, trigger="schedule", state="succeeded", progress=1.0, output="",
        metrics={"seen": taken + 12, "taken": taken, "known": 9, "refused": 3},
        started_at=now - timedelta(hours=6), finished_at=now - timedelta(hours=5),
    )  # fmt: skip
    SetAside.objects.bulk_create(
        SetAside(batch=batch, path=f"broken-{i}.jpg", reason="not an image") for i in range(3)
    )
    search = Source.objects.create(
        name="search-northwind", kind="keywords", connector="http", brand=brands[0],
        place={"url": "https://search.example/list.jsonl", "secret": "SOURCE_SECRET_SEARCH"},
        weak_answer="brand", created_by=by, trust="never",
    )  # fmt: skip
    SourceRun.objects.create(
        source=search, trigger="person", requested_by=by, state="running", progress=0.4, output="",
        metrics={"seen": 40, "taken": 31, "known": 5, "refused": 4}, heartbeat_at=now,
        started_at=now - timedelta(minutes=3),
    )  # fmt: skip
