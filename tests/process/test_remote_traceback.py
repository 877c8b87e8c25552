"""Exceptions that travel."""

from __future__ import annotations

import pickle

import pytest

from mojo_seq import DeadlineExceededError, InvalidArgumentError, MojoError, Result
from mojo_seq.process.remote_traceback import Failure, RemoteError, RemoteTraceback


class Unwilling(Exception):
    """Can be pickled, but not made again."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__("unwilling")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        if cause is None:
            raise error
        raise error from cause
    except BaseException as caught:
        return caught


def passed(error: BaseException) -> BaseException:
    made: BaseException = pickle.loads(pickle.dumps(Failure(error)))
    return made


def test_it_is_the_same_exception_with_its_traceback_as_the_cause() -> None:
    error = raised(LookupError("where", 3))
    error.add_note("a note")
    made = passed(error)
    assert type(made) is LookupError and made.args == ("where", 3)
    assert made.__notes__ == ["a note"]
    assert isinstance(made.__cause__, RemoteTraceback)
    assert "in raised" in str(made.__cause__) and "LookupError" in str(made.__cause__)


def test_causes_travel_too() -> None:
    made = passed(raised(ValueError("outer"), raised(KeyError("inner"))))
    assert type(made) is ValueError and type(made.__cause__) is KeyError
    assert isinstance(made.__cause__.__cause__, RemoteTraceback)


def test_twice_on_the_way() -> None:
    made = passed(raised(passed(raised(ValueError("far")))))
    assert type(made) is ValueError
    assert str(made.__cause__).count("ValueError: far") >= 2


@pytest.mark.parametrize("error", [InvalidArgumentError("x"), DeadlineExceededError("late")])
def test_errors_of_the_system(error: MojoError) -> None:
    made = passed(raised(error))
    assert type(made) is type(error) and str(made) == str(error)


def test_what_cannot_be_made_again_still_tells_what_it_was() -> None:
    made = passed(raised(Unwilling(1, 2)))
    assert isinstance(made, RemoteError) and isinstance(made, MojoError)
    assert made.result is Result.UNKNOWN
    assert made.type_name.endswith("test_remote_traceback.Unwilling")
    assert str(made) == f"{made.type_name}: unwilling"
    assert "Unwilling" in str(made.__cause__)


def test_what_cannot_be_pickled() -> None:
    made = passed(raised(ValueError(lambda: 0)))
    assert isinstance(made, RemoteError) and "lambda" in str(made)


def test_what_has_no_text() -> None:
    class Local(Mute):
        pass

    made = passed(raised(Local()))
    assert isinstance(made, RemoteError) and "RuntimeError" in str(made)


def test_remote_errors_travel_on() -> None:
    made = passed(passed(raised(Unwilling(1, 2))))
    assert isinstance(made, RemoteError) and str(made).endswith("Unwilling: unwilling")
