"""The progress bar by way of rich (which the extra `mojo_seq[cli]` installs)."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Live

from mojo_seq.cli.progress import Progress
from mojo_seq.cli.report import human
from mojo_seq.cli.walk import Survey


class RichProgress(Progress):
    """Redraws only in `update`: rich needs no thread of its own."""

    def __init__(self) -> None:
        self._live = Live(
            TextColumn("{task.fields[done]}"),
            BarColumn(None),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
            expand=True,
        )
        self._task = self._live.add_task("", total=None, done="")
        self._live.start()

    def set_total(self, survey: Survey) -> None:
        self._live.update(self._task, total=survey.nbytes)

    def update(self, files: int, nbytes: int) -> None:
        done = f"{files:9,} files {human(nbytes):>9}"
        self._live.update(self._task, completed=nbytes, done=done, refresh=True)

    def note(self, text: str) -> None:
        self._live.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self._live.stop()
