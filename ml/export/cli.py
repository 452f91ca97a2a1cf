"""`python -m ml export …`: a trained model as an ONNX file."""

import argparse
from contextlib import closing
from pathlib import Path

from ml.progress import Progress


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand `export`."""
    parser = subparsers.add_parser("export", help="a trained model in a form that is served faster")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--format", choices=["onnx"], default="onnx")
    parser.add_argument(
        "--int8", type=Path, metavar="MANIFEST",
        help="int8, if that is faster and costs at most half a point on this manifest",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="an empty folder")
    parser.add_argument("--progress", type=Path, metavar="F", help="report there as JSON lines")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export the model the arguments name."""
    from ml.export.run import export

    with closing(Progress(file=args.progress)) as progress:
        artifact = export(model=args.model, out=args.out, int8=args.int8, progress=progress)
        progress.report("done", 1.0, **artifact.metrics["export"])
    return 0
