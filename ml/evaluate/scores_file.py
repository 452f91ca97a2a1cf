"""The scores of an evaluation as a Parquet file, one row an image, so that models can be compared
image by image later.

Columns: `image` `sha256` `has_logo` `attack` `source` `category` `variation` as in the manifest,
`logo_size` as of `slices`, the fields of `Outcomes`, and `scores` (float32 list, by the names in
the file's metadata).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.errors import InputError
from ml.evaluate.outcomes import Outcomes
from ml.evaluate.scored import Scored
from ml.evaluate.slices import logo_sizes
from ml.files import replacing
from ml.manifest import group_keys

META = b"touchstone.scores"
CONTEXT = ("image", "sha256", "has_logo", "attack", "source", "category", "variation")
LOGO_SIZE = "logo_size"
FLAGS = ("known", "own", "right", "hit", "flagged", "counted")


@dataclass(frozen=True)
class SavedScores:
    """A scores file without its score matrix.

    Attributes:
        keys: [n] what tells a row from all others: split and sha256 (the image's path without).
        context: what is known of the rows, object [n] each, by the columns of CONTEXT and
            `logo_size`, which files of before lack.
    """

    path: Path
    kind: str
    names: list[str]
    thresholds: dict[str, float]
    keys: np.ndarray
    context: dict[str, np.ndarray]
    rows: Outcomes

    def of(self, index: np.ndarray) -> "SavedScores":
        """The rows at the places of `index`, in its order."""
        return replace(
            self,
            keys=self.keys[index],
            context={name: column[index] for name, column in self.context.items()},
            rows=self.rows.of(index),
        )

    @property
    def has_logo(self) -> np.ndarray:
        """object [n]."""
        return self.context["has_logo"]


def scores_path(path: Path, kind: str | None) -> Path:
    """`path`, or `stem-kind.parquet` beside it where several models are evaluated."""
    return path if kind is None else path.with_name(f"{path.stem}-{kind}{path.suffix}")


def write_scores(
    path: Path, data: Scored, rows: Outcomes, *, kind: str, thresholds: Mapping[str, float]
) -> None:
    """Write the file in one step."""
    columns = {name: data.rows[name] for name in CONTEXT}
    for field in fields(Outcomes):
        columns[field.name] = pa.array(getattr(rows, field.name))
    columns["group"] = pa.array(group_keys(data.rows))
    columns[LOGO_SIZE] = pa.array(logo_sizes(data.box_share, len(rows)), pa.string())
    width = data.scores.shape[1]
    flat = pa.array(np.ascontiguousarray(data.scores, np.float32).reshape(-1))
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * width
    columns["scores"] = pa.ListArray.from_arrays(pa.array(offsets), flat)
    meta = {"kind": kind, "names": data.names, "thresholds": dict(thresholds)}
    table = pa.table(columns).replace_schema_metadata({META: json.dumps(meta).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        pq.write_table(table, partial)


def read_scores(path: Path) -> SavedScores:
    """Read a scores file.

    Raises:
        InputError: there is none, or it is something else.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such scores file")
    names = [field.name for field in fields(Outcomes)]
    try:
        schema = pq.read_schema(path)
        meta = json.loads((schema.metadata or {})[META])
        told = [name for name in (*CONTEXT, LOGO_SIZE) if name in schema.names]
        table = pq.read_table(path, columns=[*names, *told])
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a scores file of `evaluate --scores`") from error
    identity = zip(*(table[n].to_pylist() for n in ("split", "sha256", "image")), strict=True)
    keys = [f"{split} {sha256 or image}" for split, sha256, image in identity]
    found = {name: np.array(table[name].to_pylist(), dtype=object) for name in {*names, *told}}
    columns = {name: found[name] for name in names}
    columns |= {name: columns[name].astype(bool) for name in FLAGS}
    columns["score"] = columns["score"].astype(float)
    return SavedScores(
        path=path,
        kind=meta["kind"],
        names=meta["names"],
        thresholds=meta["thresholds"],
        keys=np.array(keys, dtype=object),
        context={name: found[name] for name in told},
        rows=Outcomes(**columns),
    )
