"""The C++ tests of the engine, in three variants: plain with the library's assertions, with
AddressSanitizer and UndefinedBehaviorSanitizer, and with ThreadSanitizer. Each is an item of its
own.

A variant is built once for each state of the sources, into pytest's cache; who also needs it
meanwhile waits.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
ENGINE = TESTS.parents[1] / "_core" / "engine"
COMPILER = os.environ.get("CXX", "g++")
COMMON = ["-std=c++17", "-g1", "-pthread", "-Wall", "-Wextra", "-Werror"]
COMMON += ["-Wno-stringop-overflow"]  # false alarms of gcc 12 where atomics are inlined
# So many sources make one unit: it is their headers that take the time.
ENGINE_UNIT = 8
TESTS_UNIT = 5
RUN_TIMEOUT = 200.0
# Children are forked by tests that have threads; they take care of that themselves.
TSAN_OPTIONS = "halt_on_error=1:detect_deadlocks=1:second_deadlock_stack=1:die_after_fork=0"


@dataclass(frozen=True)
class Variant:
    """A way to build the engine and its tests, and to run them then."""

    flags: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


VARIANTS = {
    "plain": Variant(("-O1", "-D_GLIBCXX_ASSERTIONS")),
    "asan": Variant(
        ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
        {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_init_order=1"},
    ),
    "tsan": Variant(
        ("-O1", "-fsanitize=thread"),
        {"TSAN_OPTIONS": TSAN_OPTIONS},
    ),
}
SOURCES = {path.name.removesuffix("_test.cc"): path for path in sorted(TESTS.glob("*_test.cc"))}
NAMES = [
    f"{suite}.{name}"
    for suite, path in SOURCES.items()
    for name in re.findall(r"^TEST\((\w+)\)", path.read_text(), re.MULTILINE)
]
# Those with two ends of a socket, which could as well be in two processes.
ACROSS_PROCESSES = {
    suite
    for suite, path in SOURCES.items()
    if re.search(r'^#include "(channels?|sockets)\.h"', path.read_text(), re.MULTILINE)
}
# What finds each planted defect, and what it says.
PLANTED = [
    ("plain", "failed_check", "1 + 1 == 3: 2 and 3"),
    ("plain", "failed_check_on_a_thread", "check failed: false"),
    ("plain", "open_handle_left", "left alive: 2 handle"),
    ("plain", "library_assertion", "Assertion"),
    ("asan", "use_after_free", "heap-use-after-free"),
    ("asan", "memory_leak", "LeakSanitizer: detected memory leaks"),
    ("asan", "signed_overflow", "signed integer overflow"),
    ("tsan", "data_race", "ThreadSanitizer: data race"),
    ("tsan", "lock_order_inversion", "lock-order-inversion"),
]
# Building has time limits of its own.
pytestmark = pytest.mark.timeout(240, func_only=True)


class BuildError(Exception):
    """The compiler refused; its output is the text."""


@dataclass(frozen=True)
class Program:
    """A built test program."""

    command: tuple[str, ...]
    environment: dict[str, str]

    def run(
        self, *arguments: str, timeout: float = RUN_TIMEOUT
    ) -> subprocess.CompletedProcess[str]:
        """Runs it. It is killed after `timeout` seconds, and dies with this process."""
        parent = {"MOJO_SEQ_TEST_PARENT": str(os.getpid())}
        return subprocess.run(
            [*self.command, *arguments],
            env={**os.environ, **self.environment, **parent},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )


def compile_with(*arguments: str) -> str:
    """The compiler's output.

    Raises:
        BuildError: it failed.
    """
    done = subprocess.run(
        [COMPILER, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        raise BuildError(done.stdout + done.stderr)
    return done.stdout


def fingerprint(variant: Variant) -> str:
    """Of all that decides about what is built."""
    parts = [compile_with("--version"), *COMMON, *variant.flags, str(TESTS)]
    digest = hashlib.sha256("\0".join(parts).encode())
    for folder in (ENGINE, TESTS):
        for path in sorted([*folder.glob("*.h"), *folder.glob("*.cc")]):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def build(variant: Variant, program: Path) -> None:
    """Compiles and links, on all processors, and puts the result in place when it is complete."""
    folders = ((sorted(TESTS.glob("*.cc")), TESTS_UNIT), (sorted(ENGINE.glob("*.cc")), ENGINE_UNIT))
    units = [
        sources[start : start + size]
        for sources, size in folders
        for start in range(0, len(sources), size)
    ]
    flags = [*COMMON, *variant.flags, f"-I{ENGINE}", f"-I{TESTS}"]
    with tempfile.TemporaryDirectory(dir=program.parents[1], prefix="building-") as folder:

        def compile_unit(number: int) -> str:
            source, made = (Path(folder) / f"{number}.{suffix}" for suffix in ("cc", "o"))
            source.write_text("".join(f'#include "{path}"\n' for path in units[number]))
            compile_with(*flags, "-c", str(source), "-o", str(made))
            return str(made)

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            objects = list(pool.map(compile_unit, range(len(units))))
        built = Path(folder) / program.name
        compile_with(*flags, *objects, "-o", str(built))
        program.parent.mkdir(exist_ok=True)
        built.replace(program)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Other processes wait here until this one is done."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def built(kind: str, folder: Path) -> Path:
    """The test program of a variant, which is in the folder then.

    Raises:
        BuildError: the compiler refused.
    """
    path = folder / f"{kind}-{fingerprint(VARIANTS[kind])}" / "engine_tests"
    with alone(folder):
        if not path.exists():
            for old in folder.glob(f"{kind}-*"):
                shutil.rmtree(old, ignore_errors=True)
            build(VARIANTS[kind], path)
    return path


@pytest.fixture(scope="session")
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The test program of a variant."""
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("engine") if cache else tmp_path_factory.mktemp("engine")
    try:
        path, failure = built(request.param, folder), ""
    except BuildError as error:
        failure = str(error)
    if failure:
        pytest.fail(f"{request.param} does not build:\n{failure}", pytrace=False)
    variant = VARIANTS[request.param]
    direct = Program((str(path),), variant.environment)
    if direct.run("--list").returncode == 0:
        return direct
    # The sanitizers need their part of the address space; where its layout is too random for
    # that, the program is run with a fixed one.
    return Program(("setarch", platform.machine(), "-R", str(path)), variant.environment)


def marked(name: str) -> Any:
    across = name.partition(".")[0] in ACROSS_PROCESSES
    return pytest.param(name, marks=[pytest.mark.across_processes] if across else [])


@pytest.mark.parametrize("name", [marked(name) for name in NAMES])
@pytest.mark.parametrize("program", VARIANTS, indirect=True, scope="session")
def test_engine(program: Program, name: str) -> None:
    done = program.run(name)
    assert done.returncode == 0, f"{name}: {done.returncode}\n{done.stderr}"
    assert done.stderr == ""


@pytest.mark.parametrize("program", VARIANTS, indirect=True, scope="session")
def test_every_test_is_seen(program: Program) -> None:
    known = program.run("--list").stdout.split()
    assert sorted(each for each in known if not each.startswith("planted.")) == sorted(NAMES)


@pytest.mark.parametrize(
    ("program", "defect", "report"), PLANTED, indirect=["program"], scope="session"
)
def test_planted_defects_are_found(program: Program, defect: str, report: str) -> None:
    done = program.run(f"planted.{defect}")
    assert done.returncode != 0
    assert report in done.stderr


@pytest.mark.parametrize("program", ["plain"], indirect=True, scope="session")
def test_a_hang_is_ended(program: Program) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        program.run("planted.hang", timeout=0.2)


STARTER = """
import os, subprocess, sys
os.environ["MOJO_SEQ_TEST_PARENT"] = str(os.getpid())
child = subprocess.Popen([*sys.argv[1:], "planted.hang"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize("program", ["plain"], indirect=True, scope="session")
def test_a_program_dies_with_the_run_that_started_it(program: Program) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, *program.command], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        status = Path(f"/proc/{int(starter.stdout.readline())}/stat")
        starter.kill()
    while status.exists():  # the test's timeout is the limit
        try:
            state = status.read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            break
        if state in "ZX":  # dead, and nobody has asked for its exit code
            break
        time.sleep(0.001)


CLANG = shutil.which("clang++")
if CLANG:

    def test_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
        """libFuzzer for a few seconds; to look longer, build it the same way and run it."""
        fuzzer = tmp_path / "frame_fuzzer"
        sources = [str(TESTS / "frame_fuzzer.cc"), *map(str, sorted(ENGINE.glob("*.cc")))]
        flags = ["-std=c++17", "-g1", "-O1", "-pthread", "-fsanitize=fuzzer,address,undefined"]
        subprocess.run(
            [str(CLANG), *flags, f"-I{ENGINE}", f"-I{TESTS}", *sources, "-o", str(fuzzer)],
            check=True,
            timeout=300,
        )
        done = subprocess.run(
            [str(fuzzer), "-max_total_time=10", "-max_len=4096", "-rss_limit_mb=2048"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_TIMEOUT,
        )
        assert done.returncode == 0, done.stderr[-5_000:]
