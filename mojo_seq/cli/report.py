"""What the demo prints on standard output: a table for people, or the same as JSON.

The JSON object has these keys:

    summary       {"paths", "workers", "files", "bytes", "seconds", "mb_per_second",
                   "duplicate_groups", "wasted_bytes", "problems", "interrupted"}
    entropy       [{"low", "high", "files", "bytes"}, ...]    16 bins, 0 to 8 bits per byte
    duplicates    [{"sha256", "size", "paths": [...]}, ...]   the largest waste first
    problems      [{"path", "kind", "reason"}, ...]           kind: see `walk.Problem`
    lost_workers  [{"worker", "pid", "exitcode", "reason"}, ...]   see `lost_worker`
    files         [{"path", "size", "sha256", "entropy"}, ...]   in the order they were finished

Bytes of a path that are not UTF-8 appear as lone surrogates, which `os.fsencode` turns back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import partial
from itertools import islice
from shutil import get_terminal_size
from typing import Any, TextIO

from mojo_seq.cli.ledger import BIN_WIDTH, BINS, Ledger
from mojo_seq.cli.tables import Table, print_plain, print_rich

SHOWN = 10  # duplicate groups, and problems, in the table
BAR = 40  # characters of the longest bar
EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
# From cold (no information) to hot (compressed or encrypted), for the bars.
SHADES = ("blue", "deep_sky_blue2", "cyan", "spring_green2", "green", "yellow", "orange1", "red")


def write_json(ledger: Ledger, paths: list[str], workers: int, out: TextIO) -> None:
    """Write one JSON object, a record per line, without ever holding all of it."""
    groups = ledger.duplicates()
    summary = {
        "paths": paths,
        "workers": workers,
        "files": ledger.files,
        "bytes": ledger.nbytes,
        "seconds": round(ledger.seconds, 6),
        "mb_per_second": round(ledger.mb_per_second, 3),
        "duplicate_groups": len(groups),
        "wasted_bytes": sum(group.wasted for group in groups),
        "problems": ledger.problems,
        "interrupted": ledger.interrupted,
    }
    bins = (
        {"low": i * BIN_WIDTH, "high": (i + 1) * BIN_WIDTH, "files": files, "bytes": nbytes}
        for i, (files, nbytes) in enumerate(zip(ledger.bin_files, ledger.bin_bytes, strict=True))
    )
    out.write(f'{{\n"summary": {json.dumps(summary)}')
    _write_list(out, "entropy", bins)
    _write_list(out, "duplicates", (group._asdict() for group in groups))
    _write_list(out, "problems", ledger.records(problems=True))
    lost = ({**each._asdict(), "reason": each.reason} for each in ledger.lost_workers)
    _write_list(out, "lost_workers", lost)
    _write_list(out, "files", ledger.records(problems=False))
    out.write("\n}\n")


def _write_list(out: TextIO, key: str, records: Iterable[dict[str, Any]]) -> None:
    out.write(f',\n"{key}": [')
    for number, record in enumerate(records):
        out.write((",\n" if number else "\n") + json.dumps(record))
    out.write("]")


def print_report(ledger: Ledger, paths: list[str], workers: int, out: TextIO) -> None:
    title = ", ".join(map(printable, paths))
    tables = _tables(ledger, paths, workers, out.encoding)
    try:
        import rich  # noqa: F401
    except ModuleNotFoundError:
        _print_plain(title, tables, out)
    else:
        _print_rich(title, tables, out)


def _tables(ledger: Ledger, paths: list[str], workers: int, encoding: str) -> list[Table]:
    groups = ledger.duplicates()
    root = os.path.join(paths[0], "") if len(paths) == 1 else ""

    room = max(get_terminal_size().columns - 48, 20)

    def short(path: str) -> str:
        text = printable(path.removeprefix(root))
        return (
            text if len(text) <= room else f"{text[: room // 4]}...{text[room // 4 + 3 - room :]}"
        )

    facts = [
        ["files", f"{ledger.files:,}", "speed", f"{ledger.mb_per_second:,.1f} MB/s"],
        ["bytes", human(ledger.nbytes), "time", f"{ledger.seconds:.2f} s, {workers} workers"],
        ["duplicates", f"{len(groups):,} groups", "to gain", human(sum(g.wasted for g in groups))],
        ["problems", f"{ledger.problems:,}", "", "interrupted by Ctrl-C" * ledger.interrupted],
    ]
    bars = _bars(ledger.bin_files, encoding)
    chart = [
        [
            f"{i * BIN_WIDTH:.1f}-{(i + 1) * BIN_WIDTH:.1f}",
            bars[i],
            f"{ledger.bin_files[i]:,}",
            human(ledger.bin_bytes[i]),
        ]
        for i in range(BINS)
    ]
    same = [
        [f"{len(g.paths):,}", human(g.size), human(g.wasted), g.sha256[:12], short(g.paths[0])]
        for g in groups[:SHOWN]
    ]
    problems = [
        [p["kind"], short(p["path"]), p["reason"]]
        for p in islice(ledger.records(problems=True), SHOWN)
    ]
    lost = [[f"{each.worker}", f"{each.pid or '-'}", each.reason] for each in ledger.lost_workers]
    return [
        Table("", ["", "", "", ""], facts),
        Table("Entropy, bits per byte", ["bits", "", ">files", ">bytes"], chart),
        Table(
            "Duplicates",
            [">copies", ">size", ">to gain", "SHA-256", "first of them"],
            same,
            len(groups) - len(same),
        ),
        Table("Problems", ["kind", "path", "reason"], problems, ledger.problems - len(problems)),
        Table("Lost workers", [">worker", ">pid", "what happened"], lost),
    ]


def _bars(counts: list[int], encoding: str) -> list[str]:
    unit = 8 * BAR / (max(counts) or 1)
    eighths = [max(round(count * unit), 1) if count else 0 for count in counts]
    try:
        "".join(EIGHTHS).encode(encoding)
    except UnicodeEncodeError:
        return ["#" * -(-n // 8) for n in eighths]
    return ["█" * (n // 8) + EIGHTHS[n % 8] for n in eighths]


def _print_plain(title: str, tables: list[Table], out: TextIO) -> None:
    out.write(f"\n{title}\n")
    for table in tables:
        if table.rows:
            print_plain(table, out)


def _print_rich(title: str, tables: list[Table], out: TextIO) -> None:
    from rich.console import Console
    from rich.panel import Panel
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(file=out, highlight=False)
    facts, chart, *others = tables
    grid = RichTable.grid(padding=(0, 3))
    for row in facts.rows:
        grid.add_row(*map(Text, row, ("cyan", "bold", "cyan", "bold")))
    console.print(Panel(grid, title=Text(title, "bold"), title_align="left", expand=False))
    for table in (chart, *others):
        if table.rows:
            print_rich(table, console, partial(_style, table, table is chart))


def _style(table: Table, is_chart: bool, row: int, column: int) -> str:
    if column == 1:
        return SHADES[row // 2] if is_chart else "cyan"
    return "dim" if is_chart and not table.rows[row][1] else ""


def human(nbytes: float) -> str:
    """1234567 -> '1.2 MB'."""
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 999.95:
            return f"{nbytes:.0f} B" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:.1f} TB"


def printable(path: str) -> str:
    """`path` without anything that would make a terminal do something else than print it."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
