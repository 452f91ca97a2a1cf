"""`python -m ml clean …`: find the labels that are probably wrong."""

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ml.options import read_config
from ml.progress import Progress

FOLDS = 4


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    make_stop: Callable[[], Callable[[], bool]],
) -> None:
    """Add the subcommand `clean`; `make_stop` starts to listen for the signal to stop."""
    parser = subparsers.add_parser("clean", help="find training labels that are probably wrong")
    parser.add_argument("--manifest", type=Path, required=True, metavar="F")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--folds", type=int, default=FOLDS, metavar="N", help="models to train")
    parser.add_argument(
        "--config", metavar="JSON", default="{}", help="of the classifier: JSON text or a JSON file"
    )
    parser.add_argument(
        "--write-manifest", type=Path, metavar="DIR", dest="cleaned",
        help="write the manifest there with the finds unlabelled",
    )  # fmt: skip
    parser.add_argument("--progress", type=Path, metavar="F", help="report there as JSON lines")
    parser.set_defaults(run=lambda args: run(args, make_stop()))


def run(args: argparse.Namespace, should_stop: Callable[[], bool]) -> int:
    """Clean, and print the path of the cleaned manifest where one was asked for."""
    from ml.clean.run import clean

    with closing(Progress(file=args.progress)) as progress:
        found = clean(
            manifest=args.manifest,
            out=args.out,
            folds=args.folds,
            config=read_config(args.config),
            cleaned=args.cleaned,
            progress=progress,
            should_stop=should_stop,
        )
        progress.report("done", 1.0, **found["finds"])
    if args.cleaned is not None:
        print(found["cleaned"])
    return 0
