"""Embeddings of the champion's classifier, brought into the database in the background.

When the classifier changes, a new space is filled while the old one serves: first from the shards
of that classifier's scans, then by children `python -m ml embed`, a batch a run. When nothing
lacks a vector the spaces change places in one transaction, and the old vectors are deleted in
batches. Every step may be done again: what has a vector is never asked for twice.
"""

import logging
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from active_learning import jobs
from active_learning.jobs import JobError
from active_learning.models import EmbeddingRun, JobState, Scan
from active_learning.models.jobs import ACTIVE
from active_learning.promotion import champion
from active_learning.scans import shard_paths
from active_learning.stored_images import bring, image_path
from active_learning.supervision import supervise
from annotation import contradictions, vectors
from annotation.locks import advisory_lock
from annotation.models import Case, EmbeddingSpace, Image, ImageVector, Task
from annotation.models.image import TRAINING_SPLITS
from ml.manifest import write_manifest

logger = logging.getLogger(__name__)
BATCH = 4_000  # images a run: half a minute or so, what a kill costs at most
SECONDS = 20.0  # of one call of `fill`: its worker has other work too
DAY = 86_400
RESULT = "embeddings.parquet"
LOCK = "embeddings"


class EmbeddingError(JobError):
    """What was asked of the embeddings cannot be; the message is for a person."""


@dataclass(frozen=True)
class Filling:
    """How the filling of a space stands. `run` is the last batch; `stopped` says that nothing
    goes on until a person wants it to."""

    space: EmbeddingSpace
    done: int
    wanted: int
    run: EmbeddingRun | None

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.wanted) if self.wanted else 1.0

    @property
    def stopped(self) -> bool:
        return self.run is not None and self.run.state in (JobState.FAILED, JobState.CANCELLED)


def fill() -> bool:
    """Do what can be done now, within SECONDS; safe to call at any time, by anybody. Returns
    whether there is more of it."""
    until = time.monotonic() + SECONDS
    with advisory_lock(LOCK) as free:
        if not free:
            return False
        release = champion()
        version = release.classifier if release else None
        more = _retire_others(model=version.artifact if version else "")
        if version is not None:
            space = vectors.open_space(model=version.artifact)
            if not _is_stopped(space):
                more = _fill(space, until) or more
        return _delete_retired(until) or more


def _retire_others(*, model: str) -> bool:
    """Give up filling for a classifier that is not the champion's any more."""
    others = EmbeddingSpace.objects.filter(state=EmbeddingSpace.State.FILLING).exclude(model=model)
    for space in others:
        for run in space.runs.filter(state__in=ACTIVE, picture=""):
            jobs.cancel(job=run)
        EmbeddingSpace.objects.filter(pk=space.pk).update(state=EmbeddingSpace.State.RETIRED)
        logger.info("%s: given up for another champion", space)
    return bool(others)


def _fill(space: EmbeddingSpace, until: float) -> bool:
    if _copy_from_scans(space, until):
        return True
    vectors.copy_to_cases(space=space)
    busy = space.runs.filter(state__in=ACTIVE, picture="").exists() or _request_batch(space)
    if space.state == EmbeddingSpace.State.FILLING:
        if busy:
            return False
        vectors.serve_space(space=space)
        logger.info("%s serves", space)
    # Until it serves, cases compared in it would wait for those that are not there yet.
    return bool(contradictions.compare_vectors(space=space))


def _copy_from_scans(space: EmbeddingSpace, until: float) -> bool:
    """Take what the classifier's finished scans hold. Returns whether time ran out before all
    was read; how far it came is kept in the cache, where losing it costs only time."""
    for scan in _scans_of(space):
        place = _place(space, scan)
        shards = shard_paths(scan)
        for number in range(cache.get(place, 0), len(shards)):
            if time.monotonic() > until:
                return True
            _copy_shard(space, shards[number])
            cache.set(place, number + 1, timeout=DAY)
    return False


def _scans_of(space: EmbeddingSpace) -> QuerySet[Scan]:
    return Scan.objects.filter(release__classifier__artifact=space.model, state=JobState.SUCCEEDED)


def _place(space: EmbeddingSpace, scan: Scan) -> str:
    return f"embeddings:{space.pk}:{scan.pk}"


def _copy_shard(space: EmbeddingSpace, shard: Path) -> None:
    rows = pq.read_table(shard, columns=["sha256", "embedding"])
    names = rows["sha256"].to_pylist()
    lacking = dict(_without_vector(space).filter(sha256__in=names).values_list("sha256", "pk"))
    found = dict(zip(names, rows["embedding"].to_pylist(), strict=True))
    _store(space, {pk: found[sha256] for sha256, pk in lacking.items()})


def _store(space: EmbeddingSpace, embeddings: Mapping[int, Sequence[float] | None]) -> list[int]:
    """Write those that can be used. Returns the image ids of the others."""
    usable, useless = {}, []
    for image_id, embedding in embeddings.items():
        if embedding is not None and any(embedding):
            usable[image_id] = embedding
        else:
            useless.append(image_id)
    vectors.store_vectors(space=space, embeddings=usable)
    return useless


def _without_vector(space: EmbeddingSpace) -> QuerySet[Image]:
    has = ImageVector.objects.filter(space=space, image=OuterRef("pk"))
    return Image.objects.filter(~Exists(has)).order_by("pk")


def _wanted() -> tuple[Q, Q, Q]:
    """Which images need a vector, the most urgent first: those of cases, those people are asked
    about, and those among which copies are looked for."""
    return (
        Q(Exists(Case.objects.filter(image=OuterRef("pk")))),
        Q(Exists(Task.objects.filter(image=OuterRef("pk")))),
        Q(split__in=TRAINING_SPLITS),
    )


def _request_batch(space: EmbeddingSpace) -> bool:
    """Queue a run for the next images that lack a vector. Returns whether there are any."""
    given_up = {pk for run in space.runs.exclude(unreadable=[]) for pk in run.unreadable}
    lacking: dict[int, tuple[str, str]] = {}
    for urgency in _wanted():
        rows = _without_vector(space).filter(urgency).exclude(pk__in=given_up | lacking.keys())
        for pk, *names in rows.values_list("pk", "sha256", "file")[: BATCH - len(lacking)]:
            lacking[pk] = (names[0], names[1])
        if len(lacking) == BATCH:
            break
    if not lacking:
        return False
    request(space=space, files=lacking.values())
    return True


def request(
    *,
    space: EmbeddingSpace,
    files: Iterable[tuple[str, str]],
    picture: str = "",
    by: User | None = None,
) -> EmbeddingRun:
    """Queue a run over (sha256, storage name) pairs."""
    output = Path(jobs.folder(f"embeddings/space-{space.pk}-"))
    files = list(files)
    bring(files=[file for _, file in files])
    rows = [
        {"sha256": sha256, "image": image_path(file=file), "split": Image.Split.POOL}
        for sha256, file in files
    ]
    write_manifest(rows, output / "images")
    with transaction.atomic():
        run = EmbeddingRun.objects.create(
            space=space, images=len(rows), output=str(output), picture=picture, requested_by=by
        )
        jobs.enqueue(run)
    return run


def search_by_picture(*, file: str, by: User) -> EmbeddingRun:
    """Queue the embedding of a stored picture, to search with.

    Raises:
        EmbeddingError: no classifier serves yet.
    """
    space = vectors.serving_space()
    if space is None:
        raise EmbeddingError(
            _("Searching by picture needs a classifier in use: none has been promoted, or its"
              " embeddings are still being made.")
        )  # fmt: skip
    return request(space=space, files=[(Path(file).stem, file)], picture=file, by=by)


def run(*, run_id: int) -> JobState | None:
    """Supervise a run in this process; safe to call again at any time."""
    return supervise(EmbeddingRun, run_id, argv=command, finish=store_result)


def command(run: EmbeddingRun) -> list[str]:
    """The child's command line."""
    line = [sys.executable, "-m", "ml", "embed", "--model", run.space.model]
    folder = Path(run.output)
    return [*line, "--manifest", str(folder / "images"), "--out", str(folder / RESULT)]


def store_result(run: EmbeddingRun) -> None:
    """Write the vectors of a batch; keep that of a searched picture with the run itself."""
    path = Path(run.output) / RESULT
    found: dict[str, Any] = {
        row["sha256"]: row["embedding"] for row in pq.read_table(path).to_pylist()
    }
    if run.picture:
        (embedding,) = found.values()
        run.metrics = {"vector": vectors.vector_of(embedding)}
    else:
        ids = Image.objects.filter(sha256__in=found).values_list("sha256", "pk")
        embeddings = {pk: found[sha256] for sha256, pk in ids}
        run.unreadable = _store(run.space, embeddings)
    run.save(update_fields=["metrics", "unreadable"])
    path.unlink()
    for manifest in (Path(run.output) / "images").glob("*.parquet"):
        manifest.unlink()


def _delete_retired(until: float) -> bool:
    """Delete vectors that serve nobody any more. Returns whether some are left."""
    for space in EmbeddingSpace.objects.filter(state=EmbeddingSpace.State.RETIRED):
        while vectors.delete_vectors(space=space, limit=2_000):
            # Should it be filled again, it starts from the first shard.
            cache.delete_many([_place(space, scan) for scan in _scans_of(space)])
            if time.monotonic() > until:
                return True
    return False


def filling() -> Filling | None:
    """How far the space of the champion is; None when it lacks nothing and nothing failed."""
    space = (
        EmbeddingSpace.objects.exclude(state=EmbeddingSpace.State.RETIRED)
        .order_by("state", "-pk")  # one that is filled comes before the one that serves
        .first()
    )
    if space is None:
        return None
    run = _last_run(space)
    state = Filling(space, 0, 0, run)
    if space.state == EmbeddingSpace.State.SERVING and not state.stopped:
        return None
    cases, asked, others = _wanted()
    wanted = Image.objects.filter(cases | asked | others)
    done = ImageVector.objects.filter(space=space).count()
    return Filling(space, done, wanted.count(), run)


def _last_run(space: EmbeddingSpace) -> EmbeddingRun | None:
    return space.runs.filter(picture="").order_by("-pk").first()


def _is_stopped(space: EmbeddingSpace) -> bool:
    return Filling(space, 0, 0, _last_run(space)).stopped


def cancel_filling(*, by: User) -> None:
    """Stop making vectors until somebody resumes it; what serves goes on serving.

    Raises:
        EmbeddingError: nothing is going on.
    """
    now = filling()
    if now is None or now.stopped:
        raise EmbeddingError(_("No embeddings are being made."))
    if now.run is not None and now.run.state in ACTIVE:
        jobs.cancel(job=now.run, by=by)
        return
    # Between two batches: a cancelled one says that there is to be no next.
    EmbeddingRun.objects.create(
        space=now.space,
        images=0,
        state=JobState.CANCELLED,
        requested_by=by,
        finished_at=Now(),
        output=jobs.folder(f"embeddings/space-{now.space.pk}-"),
    )


def resume_filling(*, by: User) -> None:
    """Go on where it was cancelled or failed.

    Raises:
        EmbeddingError: it goes on already.
    """
    now = filling()
    if now is None or now.run is None or not now.stopped:
        raise EmbeddingError(_("Nothing is stopped: embeddings are made as they are needed."))
    if now.run.images:
        jobs.resume(job=now.run, by=by)
    else:
        now.run.delete()
