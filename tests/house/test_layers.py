"""Imports and includes point down, files are of a size to be read, importing costs little."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import mojo_seq

ROOT = Path(__file__).parents[2]
CORE = ROOT / "_core"
ENGINE = CORE / "engine"
TOO_LONG = 400

# The layers as the docstring of the package lists them, the lowest first. Those on one line do not
# import each other.
LINES = re.findall(r"^    (\w+(?:, \w+)*) {2,}", mojo_seq.__doc__ or "", re.MULTILINE)[::-1]
LAYERS = {name: height for height, line in enumerate(LINES) for name in line.split(", ")}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / "mojo_seq").rglob("*.py"))}
EXTENSION = "mojo_seq._core"


def imports_of(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """The modules of mojo_seq that a module imports: anywhere in it, also lazily or for types."""
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                found |= {alias.name for alias in node.names}
            case ast.ImportFrom():
                base = node.module or ""
                if node.level:
                    parents = module.split(".")
                    kept = len(parents) - node.level + is_package
                    base = ".".join([*parents[:kept], *filter(None, [base])])
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    found.add(inner if inner in MODULES or inner == EXTENSION else base)
            case ast.Call(
                func=ast.Name(id="__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                found.add(name)
    return {name for name in found if name.split(".")[0] == "mojo_seq"}


IMPORTS = {
    name: imports_of(path.read_text(), name, is_package=path.name == "__init__.py")
    for name, path in MODULES.items()
}


def layer(module: str) -> str:
    """The name of a module's layer; the package itself is one, too."""
    inner = module.removeprefix("mojo_seq.").split(".")[0]
    return "cli" if inner == "__main__" else inner


def rank(module: str) -> float:
    """How high a module stands. The package itself stands above all that it imports."""
    if module == "mojo_seq":
        return max(map(rank, IMPORTS["mojo_seq"])) + 0.5
    return LAYERS[layer(module)]


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("from mojo_seq import aio, wait", {"mojo_seq.aio", "mojo_seq"}),
        ("import mojo_seq.watch as w", {"mojo_seq.watch"}),
        ("def f():\n    from mojo_seq.cli import demo", {"mojo_seq.cli.demo"}),
        ("if TYPE_CHECKING:\n    import mojo_seq.aio", {"mojo_seq.aio"}),
        ("from . import task_traits, x", {"mojo_seq.sequence.task_traits", "mojo_seq.sequence"}),
        ("from .task_traits import TaskTraits", {"mojo_seq.sequence.task_traits"}),
        ("from .. import aio", {"mojo_seq.aio"}),
        ("importlib.import_module('mojo_seq.cli')", {"mojo_seq.cli"}),
        ("from mojo_seq import _core", {"mojo_seq._core"}),
        ("import asyncio\nfrom collections import abc", set()),
    ],
)
def test_every_way_of_importing_is_seen(source: str, imported: set[str]) -> None:
    assert imports_of(source, "mojo_seq.sequence.run_loop") == imported


def test_every_module_belongs_to_a_layer() -> None:
    assert LAYERS["_core"] == 0 and len(LINES) >= 6
    assert {layer(name) for name in MODULES} == {*LAYERS, "mojo_seq"} - {"_core"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    for imported in IMPORTS[module]:
        assert imported in MODULES or imported == EXTENSION, f"{imported} does not exist"
        own_layer = layer(imported) == layer(module)
        assert own_layer or rank(imported) < rank(module), f"{module} imports {imported}"


def test_modules_can_be_imported_in_any_order() -> None:
    at_once = dict[str, set[str]]()
    for name, path in MODULES.items():
        body = ast.parse(path.read_text()).body
        imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        at_once[name] = imports_of("\n".join(map(ast.unparse, imports)), name)
    TopologicalSorter(at_once).prepare()  # raises CycleError


def test_the_stub_imports_nothing_of_the_package() -> None:
    assert imports_of((ROOT / "mojo_seq" / "_core.pyi").read_text(), EXTENSION) == set()


def includes_of(path: Path) -> Iterator[str]:
    for line in path.read_text().splitlines():
        if match := re.match(r"\s*#\s*include\s+(.*?)\s*(//.*)?$", line):
            yield match[1]


@pytest.mark.parametrize("path", sorted(ENGINE.iterdir()), ids=lambda path: path.name)
def test_the_engine_knows_itself_and_the_system_only(path: Path) -> None:
    assert path.suffix in (".h", ".cc")
    includes = list(includes_of(path))
    for included in includes:
        assert re.fullmatch(r'<[\w/.]+>|"\w+\.h"', included), included
        assert "python" not in included.lower(), included
        assert included.startswith("<") or (ENGINE / included.strip('"')).exists(), included
    if path.suffix == ".cc":
        # First of all, so that a header which lacks an include of its own does not compile. A
        # large concept has several sources, named after it: message_pipe_remote.cc.
        headers = [each.stem for each in ENGINE.glob("*.h") if path.stem.startswith(each.stem)]
        assert includes[0] == f'"{max(headers, key=len)}.h"'


def test_headers_include_only_what_is_below_them() -> None:
    headers = {
        path.name: [each.strip('"') for each in includes_of(path) if each.startswith('"')]
        for path in ENGINE.glob("*.h")
    }
    TopologicalSorter(headers).prepare()  # raises CycleError


def test_the_core_is_a_table_of_contents() -> None:
    """Every .pxi is included there, once, and includes nothing itself."""
    included = re.findall(r'^include "(.*)"$', (CORE / "_core.pyx").read_text(), re.MULTILINE)
    assert sorted(included) == sorted(path.name for path in CORE.glob("*.pxi"))
    for path in CORE.glob("*.px[id]"):
        assert not re.search(r"^include ", path.read_text(), re.MULTILINE), path.name


def test_declarations_point_down() -> None:
    """A .pxd declares the header of its name, and needs only others below it."""
    declarations = {path.stem: path.read_text() for path in CORE.glob("*.pxd")}
    needed = {}
    for name, text in declarations.items():
        header = f"{name}.h" if (CORE / f"{name}.h").exists() else f"engine/{name}.h"
        assert f'cdef extern from "{header}"' in text
        cimported = re.findall(r"^from (\w+) cimport ", text, re.MULTILINE)
        needed[name] = [each for each in cimported if each != "libcpp"]
    assert {each for cimported in needed.values() for each in cimported} <= set(declarations)
    TopologicalSorter(needed).prepare()  # raises CycleError


@pytest.mark.parametrize("path", sorted(CORE.glob("*.px?")), ids=lambda path: path.name)
def test_the_binding_includes_the_engine_its_own_headers_and_python(path: Path) -> None:
    for header in re.findall(r'extern from "(.*?)"', path.read_text()):
        assert header == "Python.h" or (CORE / header).exists(), header


def sources() -> Iterator[Path]:
    yield from CORE.glob("*.[hp]*")
    yield from ENGINE.iterdir()
    yield ROOT / "setup.py"
    for folder in ("mojo_seq", "examples", "tests"):
        for suffix in ("py", "cc", "h"):
            yield from (ROOT / folder).rglob(f"*.{suffix}")


def test_no_file_is_too_long() -> None:
    """A file that nears 400 lines is asking to be two. The stub describes one module, as one."""
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in sources()}
    assert len(lengths) > 100
    assert {str(path): length for path, length in lengths.items() if length > TOO_LONG} == {}


def test_importing_does_not_import_what_is_not_always_needed() -> None:
    code = "import sys, mojo_seq; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    imported = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "mojo_seq._core" in imported
    unwanted = {"asyncio", "concurrent.futures", "logging", "numpy", "trio", "uvloop", "rich"}
    unwanted |= {"multiprocessing", "pickle", "socket", "subprocess", "typing"}
    assert unwanted & set(imported) == set()
