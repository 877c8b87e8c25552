"""The README tells the truth: its Python runs, its commands exist, its links lead somewhere."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from mojo_seq.__main__ import build_parser

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


class Block(NamedTuple):
    heading: str
    language: str
    code: str


def readme_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = str(Path(__file__).parent / "readme_command.py")
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True)


def commands(heading: str) -> str:
    done = readme_command(heading)
    assert done.returncode == 0, done.stderr
    return done.stdout


BLOCKS = [Block(**fields) for fields in json.loads(readme_command().stdout)]
SETUP = {"Run the demo": ".venv-demo", "Run the tests": ".venv-test"}


def of_language(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {block.language for block in BLOCKS} == {"python", "sh", "text"}


@pytest.mark.parametrize("block", of_language("python"), ids=lambda block: block.heading)
def test_python_block_runs(block: Block, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block.code)
    command = [sys.executable, "-X", "dev", "-W", "error", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("block", of_language("sh"), ids=lambda block: block.heading)
def test_shell_block_names_what_exists(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.code, text=True, check=True)
    for command in re.split(r"&&|\n", block.code.strip()):
        program, *arguments = shlex.split(command)
        assert program == "python3" or program.split("/")[0] in SETUP.values(), program
        if "-m" in arguments:
            module = arguments[arguments.index("-m") + 1]
            assert importlib.util.find_spec(module), module
        if arguments[:3] == ["-m", "mojo_seq", "demo"]:
            build_parser().parse_args(shlex.split(command.partition(">")[0])[3:])
    for pattern in re.findall(r"\b(?:tests|examples|mojo_seq|_core)/[\w/.*]*", block.code):
        assert list(ROOT.glob(pattern)), pattern


@pytest.mark.parametrize(("heading", "environment"), SETUP.items())
def test_one_command_does_all_the_set_up(heading: str, environment: str) -> None:
    (command,) = commands(heading).splitlines()
    venv, install, run = command.split(" && ")
    assert venv == f"python3 -m venv {environment}"
    assert re.fullmatch(rf"{environment}/bin/pip install -e '\.\[\w+\]'", install)
    assert run.startswith(f"{environment}/bin/python -m ")


def test_a_heading_without_commands_is_an_error() -> None:
    done = readme_command("Limits")
    assert (done.returncode, done.stdout) == (1, "")


def test_the_commands_of_the_demo_run(tmp_path: Path) -> None:
    code = commands("The demo").replace(".venv-demo/bin/python", shlex.quote(sys.executable))
    (tmp_path / "cwd").mkdir()
    for name in ("mojo_seq", "examples", "tests"):
        (tmp_path / "cwd" / name).symlink_to(ROOT / name)
    done = subprocess.run(
        ["bash", "-euc", code],
        capture_output=True,
        text=True,
        cwd=tmp_path / "cwd",
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "Entropy, bits per byte" in done.stdout
    assert (tmp_path / "cwd" / "digests.json").stat().st_size > 0


def test_links_lead_to_files_and_headings() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_number_of_examples_is_right() -> None:
    assert len(list((ROOT / "examples").glob("*.py"))) == 27
    assert "twenty-seven short programs" in TEXT
