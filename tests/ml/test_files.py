"""Files that are whole or not there, on a disk that takes no more."""

import resource
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch import nn

from ml.errors import InputError
from ml.files import replacing, write_atomically
from ml.models.backbone import save_weights


@contextmanager
def full_after(size: int):
    """As on a full disk: the kernel refuses to make any file of this process longer than `size`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_table(folder):
    with replacing(folder / "kept") as partial:
        pq.write_table(pa.table({"n": [str(n) * 20 for n in range(2_000)]}), partial)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda folder: write_atomically(folder / "kept", "x" * 20_000), "kept"),
        (write_table, "kept"),
        (lambda folder: save_weights(nn.Linear(100, 100), folder), "weights.safetensors"),
    ],
    ids=["text", "table", "weights"],
)
def test_a_full_disk_is_one_line_and_what_was_there_stays(write, name, tmp_path):
    (tmp_path / name).write_text("before")
    with full_after(4096), pytest.raises(InputError) as caught:
        write(tmp_path)
    assert str(caught.value) == f"{tmp_path / name}: cannot be written: File too large"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "before"
    write(tmp_path)
    assert (tmp_path / name).stat().st_size > 4096


def test_what_fails_for_another_reason_fails_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "nowhere" / "file", "x")
