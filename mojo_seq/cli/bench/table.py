"""What the bench prints for people: the machine, a table for each case, what to know of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, TextIO

from mojo_seq.cli.bench.library import version_of
from mojo_seq.cli.bench.machine import BUSY
from mojo_seq.cli.bench.measured import Measured
from mojo_seq.cli.bench.run import Run
from mojo_seq.cli.bench.units import span, text
from mojo_seq.cli.tables import Table, common_widths, print_plain, print_rich

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = ["", ">median", ">min .. max", ">CPU", "than the first"]

LEGEND = """\
Medians of {rounds}, and min .. max. Each sample is a fresh process; they take turns.
CPU: what an operation keeps processors busy, in all processes together; who
spins while waiting pays here. Faster, slower: the median of the rounds' ratios;
"about even": the rounds do not agree."""


def print_table(run: Run, out: TextIO) -> None:
    """With rich on a terminal, if it is installed; else plain text."""
    tables = [case_table(case) for case in run.cases if case.figures or case.problems]
    facts = facts_table(run)
    if out.isatty():
        try:
            from rich.console import Console
        except ModuleNotFoundError:
            pass  # it is optional
        else:
            _print_rich(run, facts, tables, Console(file=out, highlight=False))
            return
    print_plain(facts, out)
    widths = common_widths(tables) if tables else None
    for table in tables:
        print_plain(table, out, widths)
    out.write("\n")
    for line in notes(run):
        out.write(f"{line}\n")


def facts_table(run: Run) -> Table:
    machine = run.machine
    load_before, load_after = run.loads
    standard = [library.label for library in run.compared if library.is_standard]
    packages = [library.label for library in run.compared if not library.is_standard]
    rows = [
        ["processor", f"{machine.processor}; {machine.usable} of {machine.processors} usable"],
        ["system", f"{machine.system}; {machine.python}"],
        ["load", f"{load_before:.1f} before, {load_after:.1f} after; others kept "
         f"{run.others:.1f} processors busy"],
        ["mojo_seq", version_of("mojo_seq") + "".join(
            f", {name}={value}" for name, value in machine.settings.items())],
        ["compared to", "; ".join(", ".join(each) for each in (standard, packages) if each)],
        ["samples", f"{rounds(run)}, {run.seconds:g} s each, {run.date}"],
    ]  # fmt: skip
    return Table("", ["", ""], rows)


def rounds(run: Run) -> str:
    return f"{run.rounds} rounds" if run.rounds > 1 else "one round"


def case_table(case: Measured) -> Table:
    better = "higher" if case.higher_is_better else "lower"
    rows = list(map(list, _rows(case)))
    return Table(f"{case.name}: {case.title}; {better} is better", COLUMNS, rows)


def _rows(case: Measured) -> Iterator[tuple[str, str, str, str, str]]:
    for contender in case.contenders:
        if not case.has_figures(contender):
            yield contender, "-", "", "", "see below" if contender in case.problems else ""
            continue
        figure, cpu = case.median(contender), case.median_cpu(contender)
        yield (
            contender,
            text(figure, case.unit),
            span(case.figures[contender], figure, case.unit),
            "-" if cpu is None else text(cpu, "s"),
            str(case.comparison(contender) or ""),
        )


def notes(run: Run) -> Iterator[str]:
    """What to know of the figures."""
    if any(case.figures for case in run.cases):
        yield LEGEND.format(rounds=rounds(run))
    for case in run.cases:
        for contender, problem in case.problems.items():
            yield f"{case.name}, {contender}: {problem}"
    if run.missing:
        yield f"Not installed: {', '.join(library.name for library in run.missing)}."
    yield from warnings(run)


def warnings(run: Run) -> Iterator[str]:
    """Why the figures may be worth less than they could be."""
    if run.signal is not None:
        yield "Interrupted: not all rounds are in these figures."
    if run.others >= BUSY:
        yield (
            f"Warning: other programs kept {run.others:.1f} of {run.machine.processors} "
            "processors busy; the figures vary with that."
        )
    if run.machine.usable < 2:
        yield "Warning: only one processor is usable; whoever waits has to sleep."


def _print_rich(run: Run, facts: Table, tables: list[Table], console: Console) -> None:
    from rich.panel import Panel
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable.grid(padding=(0, 3))
    for name, value in facts.rows:
        grid.add_row(Text(name, "cyan"), Text(value, "bold"))
    console.print(Panel(grid, title="python -m mojo_seq bench", title_align="left", expand=False))
    widths = common_widths(tables) if tables else None
    for table in tables:
        print_rich(table, console, partial(_style, table), widths)
    console.print()
    for line in notes(run):
        console.print(Text(line, "yellow" if line.startswith("Warning") else "dim"))


def _style(table: Table, row: int, column: int) -> str:
    if table.rows[row][0].startswith("mojo_seq"):
        return "bold cyan" if column < 2 else ""
    return "green" if column == 4 and "faster" in table.rows[row][4] else ""
