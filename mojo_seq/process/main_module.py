"""The program's main module, in a process that it starts: what is in it can be pickled by name."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

ALIAS = "__mp_main__"  # its name there; multiprocessing's, which programs know
NAMES = ("__main__", ALIAS)

_UNGUARDED = """\
a process was started while the main module was being imported for another one.

The main module is imported anew by every process that the program starts. What starts them has
to be in a function, or in a block like

    if __name__ == "__main__":
        ...
"""


class _Import:
    """Whether this process is at importing its parent's main module."""

    running = False


class _Known:
    """The main module that `is_importable` was asked about last, and the answer."""

    main: ModuleType | None = None
    importable = True


def source() -> tuple[str, str] | None:
    """How another interpreter can import the main module: ("name", NAME) or ("path", PATH).

    None: it cannot, as it came from -c, standard input or an interactive session, or is a
    package's `__main__`, which would run the whole program again.
    """
    main = sys.modules["__main__"]
    sys.modules.setdefault(ALIAS, main)  # for what comes back from such processes
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        name = spec.name
        return None if name.rpartition(".")[2] == "__main__" else ("name", name)
    path = getattr(main, "__file__", None)
    if path is None or not os.path.isfile(path):
        return None
    return "path", os.path.abspath(path)


def is_importable() -> bool:
    """Whether another interpreter can import the main module. Cheap from the second time on."""
    main = sys.modules["__main__"]
    if _Known.main is not main:
        _Known.importable = source() is not None
        _Known.main = main
    return _Known.importable


def not_importable(obj: Any) -> Exception:
    """The error for something that is defined in the main module, where that is so."""
    from pickle import PicklingError

    return PicklingError(
        f"{obj.__qualname__} is defined in a main module that another interpreter cannot "
        "import: one of -c, standard input, an interactive session, or a __main__.py"
    )


def check_not_importing() -> None:
    """Stops a program that would start itself again and again.

    Raises:
        RuntimeError: the main module is being imported.
    """
    if _Import.running:
        raise RuntimeError(_UNGUARDED)


def import_again(how: tuple[str, str] | None) -> None:
    """In the started process: makes the parent's main module its own."""
    if how is None:
        return
    import runpy
    from types import ModuleType

    kind, where = how
    module = ModuleType(ALIAS)
    _Import.running = True
    try:
        if kind == "name":
            names = runpy.run_module(where, run_name=ALIAS, alter_sys=True)
        else:
            names = runpy.run_path(where, run_name=ALIAS)
    finally:
        _Import.running = False
    module.__dict__.update(names)
    sys.modules["__main__"] = sys.modules[ALIAS] = module
