"""A sample is taken in a fresh process, which prints it as a line of its output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from tempfile import TemporaryFile
from typing import IO

from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.process_tree import descendants, end_descendants
from mojo_seq.cli.bench.scale import Scale, UnavailableError

MARK = "sample: "  # libraries print, too
PATIENCE = 2.0  # seconds that what a sample has started is given to end, too


@dataclass(frozen=True)
class Sample:
    """What one process found."""

    figure: float | None  # None: see `problem`
    cpu: float | None = None  # seconds of processor time of an operation
    problem: str = ""


def take_sample(
    command: Sequence[str], timeout: float, environment: Mapping[str, str] | None = None
) -> Sample:
    """Run a command that does `print_sample`, and end whatever it leaves behind.

    Whatever is raised here, as by Ctrl-C, kills the process; a terminal's Ctrl-C does not reach it.
    """
    spared = descendants()
    # No pipes: what a sample leaves behind would keep them open.
    with text_file() as output, text_file() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            return Sample(None, problem=f"FAILED: no result after {timeout:g} s")
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            end_descendants(spared, PATIENCE)
        found = [line for line in lines_of(output) if line.startswith(MARK)]
        if process.returncode == 0 and found:
            return Sample(**json.loads(found[-1].removeprefix(MARK)))
        reason = (lines_of(errors) or [f"exit code {process.returncode}"])[-1]
        return Sample(None, problem=f"FAILED: {reason}")


def text_file() -> IO[str]:
    """Without a name."""
    return TemporaryFile("w+", encoding="utf-8", errors="replace")


def lines_of(file: IO[str]) -> list[str]:
    file.seek(0)
    return file.read().strip().splitlines()


def print_sample(contender: Contender, scale: Scale) -> None:
    """In the fresh process: take the sample, and print it."""
    try:
        sample = Sample(contender.sample(scale), scale.cpu)
    except UnavailableError as error:
        sample = Sample(None, problem=str(error))
    print(f"\n{MARK}{json.dumps(asdict(sample))}")
