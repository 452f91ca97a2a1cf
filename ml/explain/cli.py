"""`python -m ml explain …`: what models see in single images and titles."""

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ml.progress import Progress


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    make_stop: Callable[[], Callable[[], bool]],
) -> None:
    """Add the subcommand `explain`; `make_stop` starts to listen for the signal to stop."""
    parser = subparsers.add_parser("explain", help="heat maps, boxes, and what in a title counts")
    parser.add_argument("images", type=Path, nargs="*", metavar="IMAGE")
    parser.add_argument("--title", action="append", default=[], metavar="TEXT", dest="titles")
    parser.add_argument(
        "--model", type=Path, action="append", required=True, metavar="DIR", dest="models"
    )
    parser.add_argument("--label", metavar="BRAND", help="what to explain (default: the best)")
    parser.add_argument(
        "--brands", type=Path, metavar="F", help="brands.json: its examples beside the best box"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument("--progress", type=Path, metavar="F", help="report there as JSON lines")
    parser.set_defaults(run=lambda args: run(args, make_stop()))


def run(args: argparse.Namespace, should_stop: Callable[[], bool]) -> int:
    """Explain what the arguments name."""
    from ml.explain.run import explain

    with closing(Progress(file=args.progress)) as progress:
        explain(
            models=args.models,
            images=args.images,
            titles=args.titles,
            label=args.label,
            brands_file=args.brands,
            out=args.out,
            progress=progress,
            should_stop=should_stop,
        )
    return 0
