"""Train one model, by kind."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ml import models
from ml.artifact import META, Artifact, read_artifact
from ml.errors import InputError
from ml.manifest import read_manifest
from ml.models.base import ShouldStop, parse_config
from ml.progress import Progress

log = logging.getLogger(__name__)


def train(
    *,
    kind: str,
    manifest: Path,
    out: Path,
    config: Mapping[str, Any],
    init: Path | None,
    progress: Progress,
    should_stop: ShouldStop,
) -> Artifact:
    """Train, or go on training, the model in `out`; a finished one there is returned as it is.

    Raises:
        InputError: bad input, or `out` holds a model of another kind, configuration or manifest.
        Cancelled: `should_stop` became true; called again with the same arguments it resumes.
    """
    module = models.model(kind)
    parsed: Any = parse_config(module.Config, config)
    data = read_manifest(manifest)
    start = None if init is None else read_artifact(init, kind=kind)
    if (out / META).is_file():
        done = read_artifact(out, kind=kind)
        given = {name: value for name, value in asdict(parsed).items() if name in config}
        differs = [name for name, value in given.items() if _plain(done.config[name]) != value]
        if done.manifest_sha256 != data.sha256 or differs:
            raise InputError(f"{out}: holds another finished {kind}; choose an empty folder")
        log.info("%s: already trained", out)
        return done
    return module.train(
        config=parsed,
        manifest=data,
        out=out,
        init=start,
        progress=progress,
        should_stop=should_stop,
    )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
