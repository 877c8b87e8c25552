"""Settings from the environment: a wrong word is told when the library is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WORDS = [
    ("MOJO_SEQ_SPIN", "auto"),
    ("MOJO_SEQ_SPIN", "never"),
    ("MOJO_SEQ_RINGS", "auto"),
    ("MOJO_SEQ_RINGS", "always"),
    ("MOJO_SEQ_RINGS", "never"),
]


def stderr_of_import(*options: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *options, "-c", "import mojo_seq"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (not options), done.stderr
    return done.stderr


@pytest.mark.parametrize(("name", "word"), WORDS)
def test_what_is_known_is_not_worth_a_word(name: str, word: str) -> None:
    assert stderr_of_import(**{name: word}) == ""


@pytest.mark.parametrize("name", ["MOJO_SEQ_SPIN", "MOJO_SEQ_RINGS"])
def test_a_wrong_word_is_a_warning(name: str) -> None:
    said = stderr_of_import(**{name: "sometimes"})
    assert "RuntimeWarning" in said
    assert f"{name}='sometimes' is none of auto" in said


def test_who_wants_errors_of_warnings_gets_one() -> None:
    said = stderr_of_import("-Werror::RuntimeWarning", MOJO_SEQ_SPIN="sometimes")
    assert "RuntimeWarning: MOJO_SEQ_SPIN='sometimes'" in said
