"""``python -m mojo_seq``: the command line. Each command imports only what it needs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from mojo_seq.cli.bench.arguments import add_bench

EPILOG = """\
exit codes: 0 finished (what could not be read, and worker processes that died, are listed in the
report), 1 out of memory, disk, descriptors or worker processes, 2 wrong arguments, 130 interrupted
with Ctrl-C (the report covers what was done)."""

MOST_WORKERS = 64


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mojo_seq",
        description="Handles, pipes, shared memory and sequences: see the README.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="hash every file under some folders, in parallel, and report",
        description="Stream every regular file under PATH through data pipes to workers; "
        "report digests, duplicates and entropy.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files or folders (default: the folder of Python's standard library)",
    )
    number = demo.add_mutually_exclusive_group()
    number.add_argument(
        "--workers",
        type=_worker_count,
        metavar="N",
        help="number of worker sequences (default: that of the usable processors)",
    )
    number.add_argument(
        "--processes",
        type=_worker_count,
        metavar="N",
        help="instead of them, number of worker processes",
    )
    demo.add_argument("--json", action="store_true", help="print data instead of a table")
    add_bench(commands)
    return parser


def _worker_count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MOST_WORKERS):
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {MOST_WORKERS}, not {text!r}")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        arguments = build_parser().parse_args(argv)
        if arguments.command == "bench":
            from mojo_seq.cli.bench import command

            return command.main(arguments)
        from mojo_seq.cli import demo

        workers = arguments.processes or arguments.workers
        return demo.main(
            arguments.paths,
            workers or min(len(os.sched_getaffinity(0)), MOST_WORKERS),
            in_processes=arguments.processes is not None,
            as_json=arguments.json,
        )
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
