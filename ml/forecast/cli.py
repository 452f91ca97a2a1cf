"""`python -m ml forecast …` and `python -m ml worth …`."""

import argparse
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from ml.files import write_atomically
from ml.progress import Progress

DRAWS = 40
FLAG_RATIO = 0.01
Stop = Callable[[], bool]


def add_parsers(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", make_stop: Callable[[], Stop]
) -> None:
    """Add the subcommands; `make_stop` starts to listen for the signal to stop."""
    _add(subparsers, "forecast", "what labels are likely to change", ("chosen",), make_stop)
    _add(subparsers, "worth", "chosen labels against random ones", ("chosen", "control"), make_stop)


def _add(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    what: str,
    arms: tuple[str, ...],
    make_stop: Callable[[], Stop],
) -> None:
    parser = subparsers.add_parser(name, help=what)
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="a classifier")
    for manifest in ("known", *arms, "test"):
        parser.add_argument(f"--{manifest}", type=Path, required=True, metavar="F")
    parser.add_argument("--json", type=Path, required=True, metavar="F")
    parser.add_argument("--flag-ratio", type=float, default=FLAG_RATIO, metavar="R")
    parser.add_argument("--draws", type=int, default=DRAWS, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--progress", type=Path, metavar="F", help="report there as JSON lines")
    parser.set_defaults(run=lambda args: _run(args, name, arms, make_stop()))


def _run(args: argparse.Namespace, name: str, arms: tuple[str, ...], should_stop: Stop) -> int:
    from ml.forecast.outlook import forecast
    from ml.forecast.worth import worth

    verbs: dict[str, Callable[..., dict[str, Any]]] = {"forecast": forecast, "worth": worth}
    with closing(Progress(file=args.progress)) as progress:
        report = verbs[name](
            model=args.model,
            known=args.known,
            test=args.test,
            flag_ratio=args.flag_ratio,
            draws=args.draws,
            seed=args.seed,
            progress=progress,
            should_stop=should_stop,
            **{arm: getattr(args, arm) for arm in arms},
        )
        write_atomically(args.json, json.dumps(report, indent=2))
        progress.report("done", 1.0)
    return 0
