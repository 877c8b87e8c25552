"""The demo on trouble: everything is reported, nothing ends in a traceback or a hang."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DemoJson = Callable[..., dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]
SparseFile = Callable[[str, int], Path]


def problems_of(data: dict[str, Any]) -> dict[str, tuple[str, str]]:
    assert data["summary"]["problems"] == len(data["problems"])
    return {Path(p["path"]).name: (p["kind"], p["reason"]) for p in data["problems"]}


def test_what_is_no_regular_file_is_reported(demo_json: DemoJson, tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(b"good")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))

        data = demo_json(tmp_path)

    assert problems_of(data) == {
        "fifo": ("special", "a FIFO"),
        "socket": ("special", "a socket"),
    }
    assert [f["path"] for f in data["files"]] == [str(tmp_path / "good")]


def test_special_files_as_paths(demo_json: DemoJson, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    data = demo_json("/dev/null", tmp_path / "fifo")
    assert problems_of(data) == {
        "null": ("special", "a character device"),
        "fifo": ("special", "a FIFO"),
    }


def test_links_are_not_followed_and_broken_ones_reported(
    demo_json: DemoJson, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"content")
    (tmp_path / "folder" / "to-the-root").symlink_to(tmp_path)
    (tmp_path / "to-file").symlink_to("folder/file")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")

    data = demo_json(tmp_path)

    assert [f["path"] for f in data["files"]] == [str(tmp_path / "folder" / "file")]
    assert problems_of(data) == {
        "broken": ("broken-link", os.strerror(2)),
        "circle": ("broken-link", os.strerror(40)),
    }


def test_a_link_given_as_path_is_followed(demo_json: DemoJson, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("real")

    data = demo_json(tmp_path / "link")

    assert [f["path"] for f in data["files"]] == [str(tmp_path / "link" / "file")]


def test_a_file_that_cannot_be_read_is_reported(demo_json: DemoJson) -> None:
    # A regular file that everybody may open and whose page 0 nobody can read.
    data = demo_json("/proc/self/mem", __file__)
    assert problems_of(data) == {"mem": ("unreadable", os.strerror(5))}
    assert [f["path"] for f in data["files"]] == [__file__]


def test_a_file_whose_size_the_system_does_not_know(demo_json: DemoJson) -> None:
    data = demo_json("/proc/version")  # size 0, but not empty
    (record,) = data["files"]
    assert record["size"] == len(Path("/proc/version").read_bytes()) > 0


@pytest.mark.parametrize("as_json", [True, False])
def test_names_that_are_not_utf8_or_not_harmless(
    run_demo: Run, tmp_path: Path, as_json: bool
) -> None:
    names = [b"caf\xe9", b"new\nline", b"\x1b[31mred", "grün".encode(), b"[bold]"]
    for name in names:
        for folder in (b"1", b"2"):
            os.makedirs(os.path.join(bytes(tmp_path), folder), exist_ok=True)
            Path(os.fsdecode(os.path.join(bytes(tmp_path), folder, name))).write_bytes(name)

    done = run_demo(tmp_path, *(["--json"] if as_json else []))

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if as_json:
        found = {os.path.basename(os.fsencode(f["path"])) for f in json.loads(done.stdout)["files"]}
        assert found == set(names)
    else:
        assert "\x1b[31m" not in done.stdout
        for shown in ("1/caf\\xe9", "1/new\\nline", "1/\\x1b[31mred", "1/grün", "1/[bold]"):
            assert shown in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["/no/such/path"],
        ["/", "/no/such/path", "--json"],
        ["--workers", "0"],
        ["--workers", "many"],
        ["--no-such-option"],
    ],
)
def test_wrong_arguments_end_with_2_and_one_clear_line(run_demo: Run, arguments: list[str]) -> None:
    done = run_demo(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert "error: " in last
    assert any(argument in last for argument in arguments if argument != "/")


def start_demo(*arguments: str | Path) -> subprocess.Popen[str]:
    """A demo under way: it has already told how far it is."""
    command = [sys.executable, "-m", "mojo_seq", "demo", *map(str, arguments)]
    demo = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert demo.stderr is not None
    while " files, " not in (line := demo.stderr.readline()):
        assert line, "the demo has ended before it was interrupted"
    return demo


def test_ctrl_c_gives_a_partial_report_and_130(sparse_file: SparseFile, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}").write_bytes(b"%d" % number)
    sparse_file("endless", 1 << 40)

    with start_demo(tmp_path, "--json", "--workers", "2") as demo:
        demo.send_signal(signal.SIGINT)
        output, errors = demo.communicate(timeout=30)

    assert demo.returncode == 130
    assert "Traceback" not in errors
    data = json.loads(output)
    assert data["summary"]["interrupted"] is True
    assert "endless" not in {Path(f["path"]).name for f in data["files"]}


def test_ctrl_c_says_so_in_the_table(sparse_file: SparseFile) -> None:
    with start_demo(sparse_file("endless", 1 << 40)) as demo:
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
        output, errors = demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert "interrupted by Ctrl-C" in output
    assert "Traceback" not in errors


def test_a_reader_of_the_output_that_goes_away(tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / f"{number}").touch()
    command = f"{sys.executable} -m mojo_seq demo --json {tmp_path} | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stdout == "{"
    assert "Error" not in done.stderr and "Traceback" not in done.stderr


def test_too_few_descriptors_for_so_many_workers(tmp_path: Path) -> None:
    command = f"ulimit -n 30; {sys.executable} -m mojo_seq demo {tmp_path} --workers 64"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("when", ["start", "request"])
def test_a_defect_ends_the_demo_with_its_traceback(tmp_path: Path, when: str) -> None:
    (tmp_path / "file").write_bytes(b"1")
    script = f"""if True:
        import sys
        from mojo_seq.cli import demo, workers
        class Broken(workers.Worker):
            def __init__(self, pipe):
                if {when!r} == "start":
                    raise LookupError("a defect")
                super().__init__(pipe)
            def _on_message(self, message):
                raise LookupError("a defect")
        workers.Worker = Broken
        demo.main([{str(tmp_path)!r}], 2, as_json=False)
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "LookupError: a defect"
    assert done.stdout == ""


def test_output_that_cannot_draw_blocks(run_demo: Run, tmp_path: Path) -> None:
    (tmp_path / "grün").write_bytes(b"a")
    (tmp_path / "blau").write_bytes(b"a")
    done = run_demo(tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "####" in done.stdout
