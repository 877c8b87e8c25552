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
import readme_bench
from dev_mode import complaints

from mojo_seq.__main__ import build_parser
from mojo_seq.cli.bench.cases import NAMES, load_case
from mojo_seq.cli.bench.table import COLUMNS, LEGEND

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


@pytest.mark.across_processes
@pytest.mark.parametrize("block", of_language("python"), ids=lambda block: block.heading)
def test_python_block_runs(block: Block, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block.code)
    command = [sys.executable, "-X", "dev", "-W", "error", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, complaints(done.stderr)) == (0, "")


@pytest.mark.parametrize("block", of_language("sh"), ids=lambda block: block.heading)
def test_shell_block_names_what_exists(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.code, text=True, check=True)
    for command in re.split(r"&&|\n", block.code.strip()):
        program, *arguments = shlex.split(command)
        assert program == "python3" or program.split("/")[0] in SETUP.values(), program
        if "-m" in arguments:
            module = arguments[arguments.index("-m") + 1]
            assert importlib.util.find_spec(module), module
        if arguments[:2] == ["-m", "mojo_seq"]:
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


def test_the_sample_of_the_bench_is_what_the_bench_prints() -> None:
    """All cases with all contenders, in the columns that it has now; the figures may be old."""
    (block,) = [block for block in of_language("text") if block.heading == readme_bench.HEADING]
    facts, *tables, notes = block.code.split("\n\n")
    assert [line[2:15].strip() for line in facts.splitlines()] == [
        "processor", "system", "load", "mojo_seq", "compared to", "samples",
    ]  # fmt: skip
    cases = {name: load_case(name) for name in NAMES}
    width = 2 + max(len(each.name) for case in cases.values() for each in case.contenders)
    for table, (name, case) in zip(tables, cases.items(), strict=True):
        title, header, *rows = table.splitlines()
        better = "higher" if case.higher_is_better else "lower"
        assert title == f"{name}: {case.title}; {better} is better"
        assert header.split() == " ".join(COLUMNS).replace(">", "").split()
        assert [row[:width].strip() for row in rows] == [each.name for each in case.contenders]
    rounds = re.match(r"Medians of (\d+ rounds)", notes)
    assert rounds
    assert notes.startswith(LEGEND.format(rounds=rounds[1]))


def test_a_new_sample_replaces_the_old_one() -> None:
    old = f"# A\n\n### {readme_bench.HEADING}\n\n```text\nold\n```\n\n# B\n\n```text\nB\n```\n"
    assert readme_bench.replaced(old, "\nnew\n\nfigures\n") == old.replace("old", "new\n\nfigures")
    with pytest.raises(ValueError, match="no block"):
        readme_bench.replaced("# A\n", "new")


def test_links_lead_to_files_and_headings() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_number_of_examples_is_right() -> None:
    assert len(list((ROOT / "examples").glob("*.py"))) == 27
    assert "twenty-seven short programs" in TEXT
