"""mojo_seq.cli.report and progress: what people see."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from mojo_seq.cli.ledger import Ledger
from mojo_seq.cli.lost_worker import LostWorker
from mojo_seq.cli.progress import Progress, make_progress
from mojo_seq.cli.report import human, print_report, printable
from mojo_seq.cli.walk import Survey


class Output(io.TextIOWrapper):
    """Text for a terminal, or for a file, in any encoding."""

    def __init__(self, encoding: str = "utf-8", *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with closing(Ledger()) as ledger:
        for number in range(60):
            digest = f"{number // 3:064x}"
            file = {"path": f"/root/{number}", "size": 10**number if number < 15 else 1}
            ledger.add_files([{**file, "sha256": digest, "entropy": number / 7.5}])
            reason = {"path": f"/root/p{number}", "kind": "unreadable", "reason": "No reason"}
            ledger.add_problem(reason)
        ledger.finish(interrupted=False)
        yield ledger


@pytest.fixture(params=["with rich", "without rich"])
def rich(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without rich":
        monkeypatch.setitem(sys.modules, "rich", None)  # importing it raises


@pytest.mark.usefixtures("rich")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_the_report_says_it_all(ledger: Ledger, encoding: str) -> None:
    out = Output(encoding)
    print_report(ledger, ["/root"], 3, out)
    text = out.text
    for expected in (
        "/root",
        "60",
        "3 workers",
        "MB/s",
        "20 groups",
        "Entropy, bits per byte",
        "Duplicates",
        "Problems",
        "p9",
        "No reason",
        "7.5-8.0",
    ):
        assert expected in text, expected
    assert "/root/p9" not in text  # relative to the only path
    assert text.count("... and 10 more") == 1 and text.count("... and 50 more") == 1
    assert ("█" in text) == (encoding == "utf-8")
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.usefixtures("rich")
def test_an_empty_report() -> None:
    with closing(Ledger()) as ledger:
        ledger.finish(interrupted=True)
        out = Output()
        print_report(ledger, ["a", "b"], 1, out)
    assert "a, b" in out.text and "interrupted" in out.text
    for title in ("Duplicates", "Problems", "Lost workers"):
        assert title not in out.text


@pytest.mark.usefixtures("rich")
def test_the_report_tells_of_lost_workers(ledger: Ledger) -> None:
    ledger.lost_workers = [LostWorker(2, 12345, -9), LostWorker(1, 12344, 3)]
    out = Output()
    print_report(ledger, ["/root"], 3, out)
    _, _, section = out.text.partition("Lost workers\n")
    rows = [line.strip().split(maxsplit=2) for line in section.splitlines() if line.strip()]
    assert rows[1:3] == [
        ["2", "12345", "was killed by SIGKILL"],
        ["1", "12344", "ended with exit code 3"],
    ]


def test_every_bin_with_a_file_shows_a_bar(ledger: Ledger) -> None:
    ledger.bin_files = [1, 0, 1_000_000, *[0] * 13]
    out = Output()
    print_report(ledger, ["/root"], 3, out)
    lines = [line for line in out.text.splitlines() if line.strip().startswith(("0.", "1.0"))]
    assert ["▏" in lines[0], any(c in "▏█" for c in lines[1]), "█" * 40 in lines[2]] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (5e9, "5.0 GB"),
        (7e12, "7.0 TB"),
        (1e16, "10000.0 TB"),
    ],
)
def test_human(nbytes: float, text: str) -> None:
    assert human(nbytes) == text


def test_printable_shows_what_a_terminal_would_obey() -> None:
    assert printable("gr\udcfcn\x1b[0m\n\u202e ü") == "gr\\xfcn\\x1b[0m\\n\\u202e ü"


def test_progress_lines_when_not_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Output()
    monkeypatch.setattr(sys, "stderr", out)
    with closing(make_progress(["/a", "/b"])) as progress:
        assert type(progress) is Progress
        progress.update(1, 2_000_000)
        progress.update(2, 3_000_000)  # too soon for another line
        progress.note("a worker died")
    assert out.text == "hashing /a, /b\n1 files, 2.0 MB\na worker died\n"


@pytest.mark.parametrize("installed", [True, False])
def test_progress_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "mojo_seq.cli.rich_progress", None)
    monkeypatch.setenv("TERM", "xterm")
    out = Output(terminal=True)
    monkeypatch.setattr(sys, "stderr", out)
    with closing(make_progress(["/a"])) as progress:
        assert (type(progress) is not Progress) == installed
        progress.update(10, 5_000_000)
        progress.set_total(Survey(20, 10_000_000))
        progress.update(11, 5_000_000)
        progress.note("worker [2] died")
        progress.update(12, 99_000_000)  # the tree has grown since
    assert "50%" in out.text and "100%" in out.text
    assert "11 files" in out.text and "5.0 MB" in out.text
    assert "worker [2] died" in out.text
    assert out.text.rstrip("\n").endswith("\x1b[K") or installed  # the line is wiped
