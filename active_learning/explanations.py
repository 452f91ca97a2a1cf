"""Heat maps on demand: where in an image a model sees what it says."""

import sys
from collections.abc import Iterable
from pathlib import Path

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from active_learning import jobs
from active_learning.job_files import read_json
from active_learning.models import Explanation, JobState, ModelVersion
from active_learning.scans import ENDED_BADLY
from active_learning.stored_images import bring, image_path
from active_learning.supervision import supervise
from annotation.models import Image
from ml.errors import InputError

OUT = "explained"
SHOWN = ("overlay", "boxes")  # of what `ml explain` draws: of networks, and of detectors


def request_explanations(
    *, versions: Iterable[ModelVersion], image: Image, label: str, by: User | None = None
) -> list[Explanation]:
    """Queue what each version sees of `label` in the image; what is there already, unless it ended
    badly, is returned instead."""
    return [_request(version, image, label, by) for version in versions]


def _request(version: ModelVersion, image: Image, label: str, by: User | None) -> Explanation:
    same = Explanation.objects.filter(version=version, image=image, label=label)
    try:
        with transaction.atomic():
            explanation = Explanation.objects.create(
                version=version,
                image=image,
                label=label,
                requested_by=by,
                output=jobs.folder("explanations/"),
            )
            jobs.enqueue(explanation)
    except IntegrityError:
        return same.exclude(state__in=ENDED_BADLY).get()
    return explanation


def run(*, explanation_id: int) -> JobState | None:
    """Supervise it in this process; safe to call again at any time."""
    return supervise(Explanation, explanation_id, argv=command, finish=store_picture)


def _folder(explanation: Explanation) -> Path:
    # A new one each attempt: what an earlier one has left is not written into.
    return Path(explanation.output) / f"{OUT}-{explanation.attempts}"


def command(explanation: Explanation) -> list[str]:
    """The child's command line."""
    file = explanation.image.file
    bring(files=[file])
    line = [sys.executable, "-m", "ml", "explain", "--model", explanation.version.artifact]
    line += [image_path(file=file), "--label", explanation.label]
    return [*line, "--out", str(_folder(explanation))]


def store_picture(explanation: Explanation) -> None:
    """Keep the picture that is shown, and the score with it.

    Raises:
        InputError: nothing was drawn.
    """
    folder = _folder(explanation)
    (row,) = read_json(folder / "explain.json")["images"]
    said = row[explanation.version.kind]
    drawn = next((said["files"][name] for name in SHOWN if name in said["files"]), None)
    if drawn is None:
        raise InputError("nothing was drawn")
    content = ContentFile((folder / drawn).read_bytes())
    name = f"{OUT}/{Path(explanation.output).name}.png"
    explanation.picture = default_storage.save(name, content)
    explanation.metrics = {"score": said.get("score"), "boxes": len(said.get("boxes", ()))}
    explanation.save(update_fields=["picture", "metrics"])
