"""Source distribution → wheel → a fresh virtual environment, in which the package works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
NOT_SOURCES = (".*", "build", "dist", "__pycache__", "*.egg-info", "*.so")

# The core is compiled here, with optimisation, while other tests may run.
pytestmark = pytest.mark.timeout(1200)

PROGRAM = """
import sys
from mojo_seq import ThreadPool, create_data_pipe, create_message_pipe
import mojo_seq

near, far = create_message_pipe()
producer, consumer = create_data_pipe()
with near, far, producer, ThreadPool(1) as pool:
    producer.write(b"data")
    near.write(b"hello", [consumer])
    message = pool.submit(far.read).result()
    with message, message.take_handles()[0] as received:
        assert (bytes(message), received.read()) == (b"hello", b"data")
assert "numpy" not in sys.modules
print(mojo_seq.__file__)
"""


class Built(NamedTuple):
    sdist: Path
    wheel: Path


def run(*command: str | Path, cwd: Path) -> str:
    """Runs a program apart from this one's variant of the build and its import path."""
    env = {k: v for k, v in os.environ.items() if k not in ("MOJO_SEQ_BUILD", "PYTHONPATH")}
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def is_here(requirement: str) -> bool:
    parsed = Requirement(requirement)
    try:
        return parsed.specifier.contains(version(parsed.name))
    except PackageNotFoundError:
        return False


def builder(folder: Path) -> str:
    """A Python that has what building needs: this one, which saves time, or a new one."""
    build_system = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    needed = [*build_system["requires"], "pip"]
    if all(map(is_here, needed)):
        return sys.executable
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    run(python, "-m", "pip", "install", *needed, cwd=folder)
    return python


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("distributions")
    python = builder(folder / "builder")
    # A copy, as building leaves files behind.
    shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(*NOT_SOURCES))
    hook = f"from setuptools.build_meta import build_sdist; build_sdist({str(folder)!r})"
    run(python, "-c", hook, cwd=folder / "source")
    (sdist,) = folder.glob("*.tar.gz")
    shutil.rmtree(folder / "source")
    run(python, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", sdist, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return Built(sdist, wheel)


def test_the_source_distribution_has_all_sources(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "setup.py", "README.md", "LICENSE", "mojo_seq/py.typed"}
    suffixes = {".cc", ".h", ".md", ".pxd", ".pxi", ".py", ".pyi", ".pyx"}
    wanted |= {
        str(path.relative_to(ROOT))
        for folder in ("_core", "mojo_seq", "examples", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in suffixes
    }
    assert wanted - packed == set()
    assert not [name for name in packed if name.endswith((".so", ".pyc", "_core.cpp"))]


def test_the_wheel_has_the_package_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        packed = set(archive.namelist())
        (metadata,) = (name for name in packed if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode().splitlines()
    assert [line for line in lines if line.startswith("Requires-Dist: numpy")]
    inner = {name for name in packed if ".dist-info/" not in name}
    (core,) = (name for name in inner if name.endswith(".so"))
    assert core.startswith("mojo_seq/_core.")
    expected = {
        str(path.relative_to(ROOT))
        for pattern in ("*.py", "*.pyi", "py.typed")
        for path in (ROOT / "mojo_seq").rglob(pattern)
    }
    assert inner == expected | {core}


def test_the_wheel_works_in_a_fresh_environment(built: Built, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    # Without numpy: what does not need it works without it.
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", built.wheel, cwd=tmp_path)
    found = run(python, "-I", "-X", "dev", "-W", "error", "-c", PROGRAM, cwd=tmp_path)
    assert Path(found.strip()).is_relative_to(tmp_path / "venv")
    assert "demo" in run(python, "-m", "mojo_seq", "--help", cwd=tmp_path)
