"""describe: a call as text, which asks nobody for theirs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import numpy as np
import pytest

from mojo_seq.pool.call_text import describe, name_of


class Touchy:
    def __repr__(self) -> NoReturn:
        raise AssertionError("asked")

    def method(self) -> None:
        return


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, ""),
        ((1, "two", None, True, 2.5), {}, "1, 'two', None, True, 2.5"),
        (([1, 2],), {"three": {"four": 4}}, "[1, 2], three={'four': 4}"),
        ((Touchy(), [Touchy()]), {}, "<Touchy>, [<Touchy>]"),
        ((np.zeros(1000),), {}, "<ndarray>"),
        ((print, Touchy), {}, "print, Touchy"),
        ((b"x" * 1000,), {}, "b'xxxxxxxxxxxxxxxxxxxx'..."),
    ],
)
def test_what_it_is_called_with(args: tuple[Any, ...], kwargs: dict[str, Any], text: str) -> None:
    assert describe(len, args, kwargs) == f"builtins.len({text})"


def test_it_is_not_long() -> None:
    assert len(describe(print, tuple("x" * 1000 for _ in range(1000)), {})) < 300


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (len, "builtins.len"),
        (partial(partial(name_of, 1), 2), "mojo_seq.pool.call_text.name_of"),
        (Touchy().method, f"{__name__}.Touchy.method"),
        (Touchy, f"{__name__}.Touchy"),
        (Touchy(), f"{__name__}.Touchy"),
    ],
)
def test_the_name(function: Callable[..., object], name: str) -> None:
    assert name_of(function) == name
