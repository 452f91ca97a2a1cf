"""`python -m ml convert …`: a manifest as a folder that other tools read."""

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ml.progress import Progress


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    make_stop: Callable[[], Callable[[], bool]],
) -> None:
    """Add the subcommand `convert`; `make_stop` starts to listen for the signal to stop."""
    parser = subparsers.add_parser("convert", help="write a manifest as another format")
    parser.add_argument("--manifest", type=Path, required=True, metavar="F")
    parser.add_argument(
        "--to", required=True, metavar="FORMAT", help="coco | yolo | voc | csv | parquet"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--split", action="append", default=[], metavar="NAME", dest="splits", help="of all rows"
    )
    parser.add_argument(
        "--link", action="store_true", help="hard links to the images where the disk allows it"
    )
    parser.add_argument("--zip", action="store_true", dest="packed", help="DIR is a zip file")
    parser.add_argument("--progress", type=Path, metavar="F", help="report there as JSON lines")
    parser.set_defaults(run=lambda args: run(args, make_stop()))


def run(args: argparse.Namespace, should_stop: Callable[[], bool]) -> int:
    """Convert, and print where to."""
    from ml.datasets.convert import convert

    with closing(Progress(file=args.progress)) as progress:
        convert(
            manifest=args.manifest,
            to=args.to,
            out=args.out,
            splits=args.splits,
            link=args.link,
            packed=args.packed,
            progress=progress,
            should_stop=should_stop,
        )
    print(args.out)
    return 0
