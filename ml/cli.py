"""`python -m ml …`: train, export, evaluate, compare, scan, embed, predict, explain, forecast, find
wrong labels, convert datasets, draw a world, and measure.

Exit codes: 0; 2 bad input, one line on stderr; 75 stopped by SIGTERM or Ctrl-C, resumable.
"""

import argparse
import json
import logging
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

from ml.bench.cli import add_parser as add_bench
from ml.clean.cli import add_parser as add_clean
from ml.datasets.cli import add_parser as add_convert
from ml.enrolment.cli import add_parsers as add_enrolment
from ml.errors import Cancelled, InputError
from ml.explain.cli import add_parser as add_explain
from ml.export.cli import add_parser as add_export
from ml.files import UNWRITABLE, write_atomically
from ml.forecast.cli import add_parsers as add_forecasts
from ml.options import read_config
from ml.progress import Progress
from ml.stop import Stop
from ml.synth.cli import add_parser as add_synth

EXIT_INPUT = 2
EXIT_STOPPED = 75


class Parser(argparse.ArgumentParser):
    """Argparse, with its error as the one line that bad input ends in."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def main(argv: list[str] | None = None) -> NoReturn:
    """Run one command and exit."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        args = _parser().parse_args(argv)
        sys.exit(args.run(args))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_INPUT)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_INPUT)
    except Cancelled as stopped:
        how = str(stopped) or "the same command goes on from here"
        print(f"stopped; {how}", file=sys.stderr)
        sys.exit(EXIT_STOPPED)


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="python -m ml", description=__doc__, allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_synth(commands, Stop)
    add_bench(commands, Stop)
    add_explain(commands, Stop)
    add_export(commands)
    add_enrolment(commands, Stop)
    add_clean(commands, Stop)
    add_forecasts(commands, Stop)
    add_convert(commands, Stop)

    train = commands.add_parser("train", help="train a model")
    train.add_argument("kind", metavar="KIND", help="classifier | detector | variation | text")
    train.add_argument("--config", metavar="JSON", default="{}", help="JSON text or a JSON file")
    train.add_argument("--init", type=Path, metavar="MODEL_DIR", help="warm start from there")
    train.add_argument("--out", type=Path, required=True, metavar="DIR")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="measure models on the test rows")
    evaluate.add_argument("--json", type=Path, required=True, metavar="F")
    evaluate.add_argument("--flag-ratio", type=float, metavar="R", help="fit thresholds for it")
    evaluate.add_argument("--html", type=Path, metavar="F", help="the report as one page")
    evaluate.add_argument("--scores", type=Path, metavar="F", help="save scores, for `compare`")
    evaluate.set_defaults(run=_evaluate)

    compare = commands.add_parser("compare", help="two models on the same rows")
    for side in ("--a", "--b"):
        compare.add_argument(
            side, type=Path, required=True, metavar="F", help="a report, or its scores file"
        )
    compare.add_argument("--kind", help="which model, where a report holds several")
    compare.add_argument("--json", type=Path, metavar="F")
    compare.add_argument("--html", type=Path, metavar="F", help="the comparison as one page")
    compare.set_defaults(run=_compare)

    scan = commands.add_parser("scan", help="score a split into Parquet shards")
    scan.add_argument("--out", type=Path, required=True, metavar="DIR")
    scan.add_argument("--split", default="pool")
    scan.add_argument("--shard-size", type=int, default=2048, metavar="N")
    scan.add_argument(
        "--cascade", action="store_true", help="the detector looks only where it may matter"
    )
    scan.add_argument("--workers", type=int, metavar="N", help="threads (default: one a core)")
    scan.set_defaults(run=_scan)

    embed = commands.add_parser("embed", help="embeddings of all images of a manifest")
    embed.add_argument("--model", type=Path, required=True, metavar="DIR")
    embed.add_argument("--out", type=Path, required=True, metavar="F")
    embed.set_defaults(run=_embed)

    predict = commands.add_parser("predict", help="score single images or titles")
    predict.add_argument("images", type=Path, nargs="*", metavar="IMAGE")
    predict.add_argument("--title", action="append", default=[], metavar="TEXT", dest="titles")
    predict.add_argument("--json", type=Path, metavar="F")
    predict.set_defaults(run=_predict)

    for command in (evaluate, scan, predict):
        command.add_argument(
            "--model", type=Path, action="append", required=True, metavar="DIR", dest="models"
        )
    for command in (train, evaluate, scan, embed):
        command.add_argument("--manifest", type=Path, required=True, metavar="F")
        command.add_argument(
            "--progress", type=Path, metavar="F", help="report there as JSON lines"
        )
    return parser


def _train(args: argparse.Namespace) -> int:
    stop = Stop()
    from ml.train import train

    with closing(Progress(file=args.progress)) as progress:
        artifact = train(
            kind=args.kind,
            manifest=args.manifest,
            out=args.out,
            config=read_config(args.config),
            init=args.init,
            progress=progress,
            should_stop=stop,
        )
        progress.report("done", 1.0, **artifact.metrics)
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    stop = Stop()
    from ml.evaluate.run import evaluate

    with closing(Progress(file=args.progress)) as progress:
        report = evaluate(
            models=args.models,
            manifest=args.manifest,
            flag_ratio=args.flag_ratio,
            scores=args.scores,
            progress=progress,
            should_stop=stop,
        )
    if args.html is not None:
        from ml.evaluate.pages.report_page import report_page

        _write(args.html, report_page(report))
    _write_json(args.json, report)
    return 0


def _compare(args: argparse.Namespace) -> int:
    from ml.evaluate.compare import compare

    found = compare(a=args.a, b=args.b, kind=args.kind)
    if args.html is not None:
        from ml.evaluate.pages.compare_page import compare_page

        _write(args.html, compare_page(found))
    if args.json is not None:
        _write_json(args.json, found)
    print("\n".join(found["verdict"]))
    return 0


def _scan(args: argparse.Namespace) -> int:
    stop = Stop()
    from ml.scan import scan

    with closing(Progress(file=args.progress)) as progress:
        scan(
            models=args.models,
            manifest=args.manifest,
            out=args.out,
            split=args.split,
            shard_size=args.shard_size,
            cascade=args.cascade,
            workers=args.workers,
            progress=progress,
            should_stop=stop,
        )
    return 0


def _embed(args: argparse.Namespace) -> int:
    stop = Stop()
    from ml.embed import embed

    with closing(Progress(file=args.progress)) as progress:
        embed(
            model=args.model,
            manifest=args.manifest,
            out=args.out,
            progress=progress,
            should_stop=stop,
        )
    return 0


def _predict(args: argparse.Namespace) -> int:
    from ml.predict import predict

    rows = predict(directories=args.models, images=args.images, titles=args.titles)
    if args.json is not None:
        _write_json(args.json, rows)
    else:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    return 0


def _write_json(path: Path, value: Any) -> None:
    _write(path, json.dumps(value, indent=2, ensure_ascii=False))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
