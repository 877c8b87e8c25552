"""environment= of a pool."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mojo_seq import ProcessPool


def test_workers_have_it_besides_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    monkeypatch.setenv("BOTH", "1")
    with ProcessPool(1, environment={"BOTH": "2", "THEIRS": "3"}) as pool:
        assert list(pool.map(os.getenv, ["OURS", "BOTH", "THEIRS"])) == ["1", "2", "3"]
    assert os.environ["BOTH"] == "1" and "THEIRS" not in os.environ


def test_the_main_module_sees_it(tmp_path: Path) -> None:
    """Whatever that imports, such as numpy, finds it there."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, mojo_seq\n"
        "SEEN = os.getenv('SEEN')\n"
        "def seen(): return SEEN\n"
        "def main():\n"
        "    with mojo_seq.ProcessPool(1, environment={'SEEN': 'yes'}) as pool:\n"
        "        print(SEEN, pool.submit(seen).result())\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    command = [sys.executable, "-X", "dev", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("None yes\n", "")


@pytest.mark.parametrize("environment", [{"A": 1}, {1: "A"}, 1])
def test_bad_environments(environment: Any) -> None:
    with pytest.raises(TypeError):
        ProcessPool(1, environment=environment)
