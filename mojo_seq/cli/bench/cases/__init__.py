"""What can be measured, a module each: its docstring says what it is, its `CASE` how it is done."""

from __future__ import annotations

from importlib import import_module

from mojo_seq.cli.bench.case import Case

# In the order in which they are shown.
NAMES = (
    "pipe",
    "post",
    "round-trip",
    "asleep",
    "one-way",
    "array",
    "array-in-place",
    "ask",
    "ask-process",
    "pool-calls",
    "pool-array",
    "pool-cold",
)


def load_case(name: str) -> Case:
    """Import the module of one case: a sample's process has only what it needs."""
    case = import_module(f"{__name__}.{name.replace('-', '_')}").CASE
    if not isinstance(case, Case):
        raise TypeError(f"{case!r} is no case")
    return case
