"""`python -m ml crops …` and `python -m ml enrol …`."""

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ml.progress import Progress


def add_parsers(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    make_stop: Callable[[], Callable[[], bool]],
) -> None:
    """Add the subcommands; `make_stop` starts to listen for the signal to stop."""
    crops = subparsers.add_parser("crops", help="cut the boxed logos out, to learn them apart")
    crops.set_defaults(run=lambda args: _crops(args, make_stop()))
    enrol = subparsers.add_parser("enrol", help="a detector of new brands from a few boxes of each")
    enrol.add_argument("--model", type=Path, required=True, metavar="DIR", help="class-agnostic")
    enrol.add_argument("--embedder", type=Path, required=True, metavar="DIR", help="a classifier")
    enrol.add_argument(
        "--brand", action="append", required=True, metavar="KEY", dest="brands", help="to enrol"
    )
    enrol.add_argument("--shots", type=int, default=5, metavar="N", help="crops of each")
    enrol.set_defaults(run=lambda args: _enrol(args, make_stop()))
    for command in (crops, enrol):
        command.add_argument("--manifest", type=Path, required=True, metavar="F")
        command.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
        command.add_argument(
            "--progress", type=Path, metavar="F", help="report there as JSON lines"
        )


def _crops(args: argparse.Namespace, should_stop: Callable[[], bool]) -> int:
    from ml.enrolment.crops import write_crops

    with closing(Progress(file=args.progress)) as progress:
        written = write_crops(
            manifest=args.manifest, out=args.out, progress=progress, should_stop=should_stop
        )
    print(written.path)
    return 0


def _enrol(args: argparse.Namespace, should_stop: Callable[[], bool]) -> int:
    from ml.enrolment.enrol import enrol

    with closing(Progress(file=args.progress)) as progress:
        artifact = enrol(
            finder=args.model,
            embedder=args.embedder,
            manifest=args.manifest,
            brands=args.brands,
            shots=args.shots,
            out=args.out,
            progress=progress,
            should_stop=should_stop,
        )
        progress.report("done", 1.0, **artifact.metrics)
    return 0
