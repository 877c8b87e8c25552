"""``python -m mojo_seq bench``: what can be asked for, and what is said to what cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mojo_seq.__main__ import build_parser, main
from mojo_seq.cli.bench.arguments import ROUNDS, SECONDS
from mojo_seq.cli.bench.cases import NAMES, load_case
from mojo_seq.cli.bench.command import chosen_cases, chosen_peers, chosen_plot
from mojo_seq.cli.bench.library import LIBRARIES

Capture = pytest.CaptureFixture[str]


def test_arguments() -> None:
    parse = build_parser().parse_args
    defaults = parse(["bench"])
    assert (defaults.cases, defaults.rounds, defaults.seconds) == ([], ROUNDS, SECONDS)
    assert (defaults.peers, defaults.json, defaults.plot, defaults.no_plot) == (
        None, False, None, False,
    )  # fmt: skip
    given = parse(["bench", "pipe", "ask", "--peers=pyzmq,ray", "--rounds=7", "--json"])
    assert (given.cases, given.peers) == (["pipe", "ask"], ["pyzmq", "ray"])
    assert (given.rounds, given.json) == (7, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--rounds 0", "must be a number from 1 to 1000, not '0'"),
        ("--rounds 2.5", "must be a number from 1 to 1000, not '2.5'"),
        ("--seconds x", "must be a number from 0.001 to 60, not 'x'"),
        ("--seconds nan", "must be a number from 0.001 to 60, not 'nan'"),
        ("--peers pyzmq,", "must be names with commas between them"),
        ("--plot a.png --no-plot", "not allowed with argument"),
    ],
)
def test_wrong_arguments(arguments: str, message: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["bench", *arguments.split()])
    assert exit.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("pipes", "no case is called 'pipes': did you mean pipe?"),
        ("pipe xyzzy", f"no case is called 'xyzzy': there are {', '.join(NAMES)}"),
        ("--peers zeromq", "no peer is called 'zeromq': there are queue, multiprocessing,"),
        ("--peers queue,Ray", "Ray is not installed: pip install Ray"),
        ("--plot plot", "plot: the name of a plot ends with .png, .pdf, .svg"),
        ("--plot plot.png", "--plot needs matplotlib: pip install 'mojo_seq[bench]'"),
    ],
)
def test_what_cannot_be_measured(
    arguments: str, message: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("ray", "matplotlib"):
        monkeypatch.setitem(sys.modules, module, None)  # it is not installed
    assert main(["bench", *arguments.split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {message}")


def test_cases_are_in_their_order_and_once() -> None:
    assert chosen_cases([]) == list(NAMES)
    assert chosen_cases(["ask", "pipe", "ask"]) == ["pipe", "ask"]


def test_peers_by_name_or_module() -> None:
    assert chosen_peers(None) == list(LIBRARIES)
    chosen = chosen_peers(["concurrent.futures", "Multiprocessing"])
    assert [library.name for library in chosen] == ["multiprocessing", "concurrent.futures"]


@pytest.mark.parametrize("has_matplotlib", [True, False])
def test_where_the_plot_goes(
    has_matplotlib: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda _name: object() if has_matplotlib else None
    )
    parse = build_parser().parse_args
    default = Path("mojo_seq-bench.png") if has_matplotlib else None
    assert chosen_plot(parse(["bench"])) == default
    assert chosen_plot(parse(["bench", "--json"])) is None
    assert chosen_plot(parse(["bench", "--no-plot"])) is None
    if has_matplotlib:
        assert chosen_plot(parse(["bench", "--plot", "a.SVG", "--json"])) == Path("a.SVG")


def test_a_plot_that_cannot_be_written_is_known_before(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    assert main(["bench", "pipe", "--plot", "/no/such/folder/plot.png"]) == 2
    assert capsys.readouterr().err == "error: /no/such/folder/plot.png: cannot be written\n"


def test_the_list_names_all_cases_and_contenders(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    assert main(["bench", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in NAMES:
        case = load_case(name)
        assert f"{name}: {case.title}" in lines
        for contender in case.contenders:
            missing = "" if contender.is_installed else "  (not installed)"
            assert f"  {contender.name}{missing}" in lines
    assert "  pyzmq, inproc  (not installed)" in lines


def test_the_command_line_alone_imports_little() -> None:
    code = "import sys; from mojo_seq.__main__ import build_parser; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = done.stdout.split()
    assert "mojo_seq.cli.bench.arguments" in imported
    assert {"numpy", "subprocess", "multiprocessing", "mojo_seq.cli.bench.run"}.isdisjoint(imported)
