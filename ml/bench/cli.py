"""`python -m ml bench NAME …`: run one benchmark and write its figures."""

import argparse
import json
from collections.abc import Callable
from contextlib import closing
from inspect import signature
from pathlib import Path

from ml.bench import BENCHMARKS, benchmark
from ml.bench.machine import describe_machine
from ml.bench.rows import as_table
from ml.errors import Cancelled, InputError
from ml.files import write_atomically
from ml.progress import Progress


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    make_stop: Callable[[], Callable[[], bool]],
) -> None:
    """Add the subcommand `bench`; `make_stop` starts to listen for the signal to stop."""
    parser = subparsers.add_parser("bench", help="measure: speeds and recalls on generated worlds")
    parser.add_argument("name", metavar="NAME", help=" | ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="smaller, in minutes")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="worlds 1 to N")
    parser.add_argument(
        "--manifest", type=Path, metavar="F", help="labelled images of your own (label-efficiency)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR",
        help="what each seed found, to go on from after a stop (label-efficiency)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, required=True, metavar="F")
    parser.add_argument("--progress", type=Path, metavar="F", help="report there as JSON lines")
    parser.set_defaults(run=lambda args: run(args, make_stop()))


def run(args: argparse.Namespace, should_stop: Callable[[], bool]) -> int:
    """Run the benchmark the arguments name; print its rows, where it has some.

    Raises:
        InputError: there is none of that name, or no seeds.
    """
    if args.seeds < 1:
        raise InputError("--seeds must be at least 1")
    measure = benchmark(args.name)
    own = {
        name: value for name in ("manifest", "keep") if (value := getattr(args, name)) is not None
    }
    for name in own:
        if name not in signature(measure).parameters:
            raise InputError(f"the benchmark {args.name} takes no --{name}")
    with closing(Progress(file=args.progress)) as progress:
        try:
            figures = measure(
                quick=args.quick, seeds=args.seeds, progress=progress, should_stop=should_stop,
                **own,
            )  # fmt: skip
        except Cancelled as stopped:
            again = "a benchmark begins anew" if args.keep is None else "goes on where it was"
            raise Cancelled(again) from stopped
        progress.report("done", 1.0)
    result = figures | {"quick": args.quick, "machine": describe_machine()}
    args.json.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(args.json, json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    for table in ("mean", "rows"):
        if result.get(table):
            print(as_table(result[table]))
            break
    return 0
