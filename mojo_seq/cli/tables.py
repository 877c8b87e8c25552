"""Tables on standard output: plain text, or by way of rich if it is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TextIO

if TYPE_CHECKING:
    from rich.console import Console


class Table(NamedTuple):
    title: str
    columns: list[str]  # the headers; ">" in front of one means justified to the right
    rows: list[list[str]]
    left_out: int = 0

    @property
    def headers(self) -> list[str]:
        return [header.lstrip(">") for header in self.columns]

    @property
    def widths(self) -> list[int]:
        return [max(map(len, column)) for column in zip(self.headers, *self.rows, strict=True)]

    @property
    def note(self) -> str:
        """What to say below it."""
        return f"... and {self.left_out:,} more (--json lists all)" if self.left_out else ""


def common_widths(tables: Sequence[Table]) -> list[int]:
    """Of the columns of tables with the same columns, so that they stand below one another."""
    return [max(widths) for widths in zip(*(table.widths for table in tables), strict=True)]


def print_plain(table: Table, out: TextIO, widths: Sequence[int] | None = None) -> None:
    out.write(f"\n{table.title}\n" if table.title else "\n")
    rows = [table.headers, *table.rows] if any(table.headers) else table.rows
    for row in rows:
        cells = (
            cell.rjust(width) if header.startswith(">") else cell.ljust(width)
            for cell, width, header in zip(row, widths or table.widths, table.columns, strict=True)
        )
        out.write(("  " + "  ".join(cells)).rstrip() + "\n")
    if table.note:
        out.write(f"  {table.note}\n")


def print_rich(
    table: Table,
    console: Console,
    style: Callable[[int, int], str],
    widths: Sequence[int] | None = None,
) -> None:
    """`style(row, column)` is that of a cell."""
    from rich.padding import Padding
    from rich.table import Table as RichTable
    from rich.text import Text

    rich_table = RichTable(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for column, header in enumerate(table.columns):
        rich_table.add_column(
            header.lstrip(">"),
            justify="right" if header.startswith(">") else "left",
            overflow="fold",
            min_width=widths[column] if widths else None,
        )
    for number, row in enumerate(table.rows):
        rich_table.add_row(*(Text(cell, style(number, i)) for i, cell in enumerate(row)))
    console.print(Text(f"\n{table.title}", "bold"))
    console.print(Padding(rich_table, (0, 2)))
    if table.note:
        console.print(Text(f"  {table.note}", "dim"))
