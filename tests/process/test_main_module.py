"""Targets in the main module, however that was started (contract §10)."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from mojo_seq.process import main_module

TIMEOUT = 30.0

PROGRAM = '''
import sys
from mojo_seq import *

class Thing:
    """Of the main module, as an argument and as what comes back."""
    def __init__(self, word):
        self.word = word

def target(pipe, thing):
    import pickle
    assert __name__ == "__mp_main__", __name__
    assert sys.modules["__main__"] is sys.modules["__mp_main__"]
    assert type(thing) is Thing
    pipe.write(pickle.dumps(Thing(thing.word.upper())))

def grandparent(pipe):
    with spawn_process(target, Thing("deep")) as child:
        wait(child.pipe, Signals.READABLE)
        pipe.write_message(child.pipe.read())

def main():
    import pickle
    for arguments in ((target, Thing("word")), (grandparent,)):
        with spawn_process(*arguments) as child:
            if wait(child.pipe, Signals.READABLE)[0] is Result.OK:
                thing = pickle.loads(bytes(child.pipe.read()))
                print(type(thing) is Thing, thing.word)
    print(child.wait(), sys.argv[1:])

print("importing" if __name__ == "__mp_main__" else "running", flush=True)
if __name__ == "__main__":
    main()
'''
EXPECTED = "running\nimporting\nTrue WORD\nimporting\nimporting\nTrue DEEP\n0 ['an argument']\n"


def run(*command: str | Path, cwd: Path, stdin: str = "") -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-X", "dev", *command, "an argument"],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    return done.stdout, done.stderr


# --- what can be imported again ---


def test_a_script(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    assert run("program.py", cwd=tmp_path) == (EXPECTED, "")


def test_a_script_elsewhere_with_a_name_that_is_no_module_s(tmp_path: Path) -> None:
    script = tmp_path / "my program.py"
    script.write_text(PROGRAM)
    assert run(script, cwd=Path("/")) == (EXPECTED, "")


def test_a_script_that_changes_its_directory_first(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import os\n" + PROGRAM.replace("main()\n", "os.chdir('/'); main()\n")
    )
    assert run("program.py", cwd=tmp_path) == (EXPECTED, "")


def test_a_module(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    assert run("-m", "program", cwd=tmp_path) == (EXPECTED, "")


def test_a_module_of_a_package(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "program.py").write_text("from . import __name__ as _\n" + PROGRAM)
    assert run("-m", "package.program", cwd=tmp_path) == (EXPECTED, "")


def test_a_module_that_the_script_finds_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def target(pipe): pipe.write(b'beside')")
    (tmp_path / "program.py").write_text(
        """
import beside
from mojo_seq import *
if __name__ == "__main__":
    with spawn_process(beside.target) as child:
        wait(child.pipe, Signals.READABLE)
        print(bytes(child.pipe.read()))
"""
    )
    assert run(tmp_path / "program.py", cwd=Path("/")) == ("b'beside'\n", "")


# --- what cannot, but can have targets of other modules ---

IMPORTED = """
import beside
from mojo_seq import *
with spawn_process(beside.target) as child:
    wait(child.pipe, Signals.READABLE)
    print(bytes(child.pipe.read()))
def target(pipe): pass
for arguments in ((target,), (beside.target, target), (beside.target, [type("Own", (), {})()])):
    try:
        spawn_process(*arguments)
    except Exception as error:
        print(type(error).__name__, "main module" in str(error), *error.__notes__)
"""
NOTE = "of spawn_process, which another interpreter needs."
REFUSED = f"""\
b'beside'
PicklingError True This is about the target {NOTE}
PicklingError True This is about argument 1 {NOTE}
PicklingError True This is about argument 1 {NOTE}
"""


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("def target(pipe, *args): pipe.write(b'beside')")
    return tmp_path


def test_a_command(beside: Path) -> None:
    assert run("-c", IMPORTED, cwd=beside) == (REFUSED, "")


def test_standard_input(beside: Path) -> None:
    assert run("-", cwd=beside, stdin=IMPORTED) == (REFUSED, "")


def test_an_interactive_session(beside: Path) -> None:
    session = f"exec({IMPORTED!r})\n"
    command = [sys.executable, "-i", "-q"]
    done = subprocess.run(
        command, cwd=beside, input=session, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.stdout == REFUSED


def test_the_main_of_a_package(beside: Path) -> None:
    package = beside / "package"
    package.mkdir()
    (package / "__main__.py").write_text(IMPORTED)
    assert run("-m", "package", cwd=beside) == (REFUSED, "")


def test_a_directory(beside: Path) -> None:
    (beside / "__main__.py").write_text(IMPORTED)
    assert run(beside, cwd=Path("/")) == (REFUSED, "")


def test_a_zip_archive(beside: Path) -> None:
    with zipfile.ZipFile(beside / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", IMPORTED)
        archive.write(beside / "beside.py", "beside.py")
    (beside / "beside.py").unlink()
    assert run("archive.zip", cwd=beside) == (REFUSED, "")


def test_a_script_that_was_deleted(beside: Path) -> None:
    script = beside / "program.py"
    script.write_text("import os; os.unlink(__file__)\n" + IMPORTED)
    assert run(script, cwd=beside) == (REFUSED, "")


# --- programs that make a mistake ---


def test_a_script_without_a_guard_does_not_start_itself_for_ever(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        """
import logging
from mojo_seq import *
logging.basicConfig(format="%(processName)s %(message)s")
def target(pipe): pass
with spawn_process(target, name="child") as child:
    print(child.wait())
"""
    )
    output, errors = run("program.py", cwd=tmp_path)
    assert output == "1\n"
    assert errors.count("Traceback") == 1
    assert "RuntimeError: a process was started while the main module" in errors
    assert 'if __name__ == "__main__":' in errors


def test_a_target_below_the_guard_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        """
from mojo_seq import *
if __name__ == "__main__":
    def target(pipe): pass
    with spawn_process(target) as child:
        print(child.wait())
"""
    )
    output, errors = run("program.py", cwd=tmp_path)
    assert output == "1\n"
    assert "AttributeError" in errors and "target" in errors


def test_an_exception_of_the_main_module_is_told(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        """
from mojo_seq import *
def target(pipe): pass
if __name__ == "__main__":
    with spawn_process(target) as child:
        print(child.wait())
else:
    1 / 0
"""
    )
    output, errors = run("program.py", cwd=tmp_path)
    assert output == "1\n"
    assert "program.py" in errors and "ZeroDivisionError" in errors


# --- how it is known ---


def main_with(**attributes: object) -> ModuleType:
    module = ModuleType("__main__")
    module.__dict__.update(attributes)
    return module


def test_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "__mp_main__", None)
    for module, expected in (
        (main_with(), None),
        (main_with(__file__="<stdin>"), None),
        (main_with(__file__=str(tmp_path / "gone.py")), None),
        (main_with(__file__=__file__), ("path", __file__)),
        (main_with(__file__=os.path.relpath(__file__)), ("path", __file__)),
        (main_with(__spec__=SimpleNamespace(name="a.b")), ("name", "a.b")),
        (main_with(__spec__=SimpleNamespace(name="a.__main__")), None),
        (main_with(__spec__=SimpleNamespace(name="__main__")), None),
    ):
        monkeypatch.setitem(sys.modules, "__main__", module)
        assert main_module.source() == expected


def test_what_comes_back_can_be_unpickled_here(tmp_path: Path) -> None:
    """Its name there is known here, and names the same."""
    before = sys.modules.pop("__mp_main__", None)
    try:
        main_module.source()
        assert sys.modules["__mp_main__"] is sys.modules["__main__"]
        assert pickle.loads(b"c__mp_main__\n__name__\n.") == "__main__"
    finally:
        if before is not None:
            sys.modules["__mp_main__"] = before
