"""The benchmark of scans: its timing and its sums. The real one takes minutes."""

import numpy as np
import pytest

from ml.bench import fusion, scan
from ml.bench.speed import lines as work
from ml.bench.speed import nets
from ml.bench.speed.memory import memory_of_scan
from ml.bench.speed.processes import Line, time_lines
from ml.errors import Cancelled
from ml.images import image_paths
from ml.progress import Progress


def line(speeds):
    return Line(work.decode, {}, 2, speeds, [2 / speed for speed in speeds])


def test_the_limit_is_the_sum_of_the_times_of_decoding_and_of_the_sessions():
    lines = {
        "ours": line([17.0, 18.0, 90.0]),
        "cascade": line([60.0]),
        "loop": line([10.0, 12.0, 11.0]),
        "session": line([25.0]),
        "decode": line([100.0]),
    }
    losses = [{"recall": 0.5, "cascade_recall": 0.49}, {"recall": 0.6, "cascade_recall": 0.6}]
    found = scan._result(lines, losses, {"peak_mb": 250})
    assert list(found)[:3] == ["images_per_s", "cascade_recall_loss", "peak_mb"]
    assert found["images_per_s"] == {
        "ours": 18.0, "cascade": 60.0, "loop": 11.0, "session": 25.0, "decode": 100.0,
    }  # fmt: skip
    # 10 ms and 40 ms make 50 ms: 20 a second.
    assert found["share_of_limit"] == pytest.approx(0.9)
    assert found["processor_ms"]["session"] == 80.0
    assert found["share_of_limit_by_processor"] == pytest.approx(100 / 111.1, abs=1e-3)
    assert found["cascade_over_loop"] == pytest.approx(60 / 11, abs=0.01)
    assert found["cascade_recall_loss"] == pytest.approx(0.005)
    assert found["peak_mb"] == 250


@pytest.mark.slow
def test_lines_are_timed_in_turns_in_processes_of_their_own(small_world, small_exports):
    rows = small_world.rows("open")
    paths = image_paths(small_world, rows["image"].to_pylist())
    folders = {kind: artifact.directory for kind, artifact in small_exports.items()}
    lines = {
        name: Line(make, folders, 2)
        for name, make in (
            ("ours", work.pipeline), ("session", work.session), ("decode", work.decode),
        )
    }  # fmt: skip

    def timed(stop):
        time_lines(lines, paths, repeats=3, progress=Progress(quiet=True), should_stop=lambda: stop)

    with pytest.raises(Cancelled):
        timed(True)
    timed(False)
    for one in lines.values():
        assert len(one.speeds) == len(one.processor) == 3
        assert min(one.speeds) > 0 and one.processor_ms > 0


@pytest.mark.slow
def test_memory_is_watched_from_the_first_image_to_the_last(small_world, small_exports, tmp_path):
    rows = small_world.rows("open")
    found = memory_of_scan(
        [small_exports["variation"].directory],
        image_paths(small_world, rows["image"].to_pylist()),
        tmp_path,
        rows=3000,
        threads=2,
        should_stop=lambda: False,
    )
    assert found["images"] == 3000
    late = np.array(found["mb_by_tenth"][2:])
    assert late.max() - late.min() < 40
    assert found["peak_mb"] >= late.max()


@pytest.mark.slow
def test_the_whole_benchmark_in_small(monkeypatch):
    monkeypatch.setattr(scan, "SIDE", 160)
    monkeypatch.setattr(scan, "QUICK", {"images": 8, "repeats": 1, "rows": 100})
    sides = {"classifier": 64, "variation": 64, "detector": 96}
    small = {kind: net | {"size": sides[kind]} for kind, net in nets.NETS.items()}
    monkeypatch.setattr(nets, "NETS", small)
    sizes = {"brands": 3, "train": 120, "closed": 30, "open_": 120, "business": 12, "audit": 12}
    monkeypatch.setattr(fusion, "QUICK", sizes)
    short = {
        "classifier": {"epochs": 2, "least_steps": 4},
        "detector": {"steps": 4},
        "variation": {"epochs": 2, "least_steps": 4},
        "text": {},
    }
    monkeypatch.setattr(fusion, "QUICK_MODELS", short)
    found = scan.run(quick=True, seeds=1, progress=Progress(quiet=True), should_stop=lambda: False)
    assert set(found["images_per_s"]) == {
        "ours", "cascade", "loop", "session", "decode", "ours_torch",
    }  # fmt: skip
    assert min(found["images_per_s"].values()) > 0
    assert -1 <= found["cascade_recall_loss"] <= 1
    assert found["peak_mb"] > 0
    assert 0 <= found["looked_at"] <= 1
