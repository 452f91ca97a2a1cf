"""What is read back from a child's folder."""

from active_learning.job_files import LOG, last_words


def test_of_a_traceback_the_error_alone_is_told(tmp_path):
    log = tmp_path / LOG
    log.write_text("an earlier run\n")
    start = log.stat().st_size
    log.write_text(
        "an earlier run\nreading\nTraceback (most recent call last):\n"
        '  File "train.py", line 3, in step\n    step()\n    ^^^^^^\nValueError: the loss is NaN\n'
    )
    assert last_words(tmp_path, start=start) == "ValueError: the loss is NaN"


def test_one_clear_line_is_told_as_it_is(tmp_path):
    (tmp_path / LOG).write_text("reading\nmanifest.parquet: no such manifest\n")
    assert last_words(tmp_path, start=0).endswith("manifest.parquet: no such manifest")
