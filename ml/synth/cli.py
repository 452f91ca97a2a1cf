"""`python -m ml synth …`: draw a generated brand world."""

import argparse
from collections.abc import Callable
from pathlib import Path

from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.synth.world import generate


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    make_stop: Callable[[], ShouldStop],
) -> None:
    """Add the subcommand `synth`; `make_stop` starts to listen for the signal to stop."""
    parser = subparsers.add_parser("synth", help="draw a generated brand world with its truth")
    parser.add_argument("--brands", type=int, metavar="N", default=8, help="listed brands")
    parser.add_argument(
        "--train", type=int, metavar="N", default=900,
        help="catalogue images; a third as many with boxes and a third as many arrangements on top",
    )  # fmt: skip
    parser.add_argument(
        "--closed", type=int, metavar="N", default=240, help="images that show a brand"
    )
    parser.add_argument("--open", type=int, metavar="N", default=800, help="random online images")
    parser.add_argument(
        "--business", type=int, metavar="N", default=60, help="hard images, as missed before"
    )
    parser.add_argument(
        "--audit", type=int, metavar="N", default=0,
        help="training images like those of --business, labelled by audits before its cut-off",
    )  # fmt: skip
    parser.add_argument(
        "--pool",
        type=int,
        metavar="N",
        default=None,
        help="unlabelled images (default: as many as --open)",
    )
    parser.add_argument("--size", type=int, metavar="PX", default=128, help="longer side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument("--progress", type=Path, metavar="F", help="report there as JSON lines")
    parser.set_defaults(run=lambda args: run(args, make_stop()))


def run(args: argparse.Namespace, should_stop: ShouldStop) -> int:
    """Draw the world the arguments ask for and print its manifest's path."""
    progress = Progress(file=args.progress)
    try:
        manifest = generate(
            brands=args.brands, train=args.train, closed=args.closed, open_=args.open,
            business=args.business, pool=args.open if args.pool is None else args.pool,
            size=args.size, seed=args.seed, out=args.out, progress=progress, audit=args.audit,
            should_stop=should_stop,
        )  # fmt: skip
    finally:
        progress.close()
    print(manifest.path)
    return 0
