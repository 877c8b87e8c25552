"""Result codes and the exceptions that carry them (public contract §1)."""

from __future__ import annotations

import pickle
from enum import IntEnum

import pytest

import mojo_seq
from mojo_seq import (
    FailedPreconditionError,
    InvalidArgumentError,
    MessagePipe,
    MojoError,
    PeerClosedError,
    Result,
    ShouldWaitError,
)

# The numbers of the Mojo documents (system rules §1); they are a wire and file format, not ours.
CODES = {
    "OK": 0,
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "BUSY": 16,
    "SHOULD_WAIT": 17,
}
FAILURES = [name for name in CODES if name != "OK"]

BUILTINS: dict[str, type[Exception]] = {
    "INVALID_ARGUMENT": ValueError,
    "DEADLINE_EXCEEDED": TimeoutError,
    "NOT_FOUND": LookupError,
    "PERMISSION_DENIED": PermissionError,
    "UNIMPLEMENTED": NotImplementedError,
    "SHOULD_WAIT": BlockingIOError,
}


def error_class(code: str) -> type[MojoError]:
    """INVALID_ARGUMENT -> mojo_seq.InvalidArgumentError."""
    name = "".join(word.capitalize() for word in code.split("_")) + "Error"
    found: type[MojoError] = getattr(mojo_seq, name)
    return found


def test_result_has_exactly_the_eighteen_codes() -> None:
    """System rules §1."""
    assert {code.name: code.value for code in Result} == CODES


def test_result_is_an_int_enum() -> None:
    """Public contract §1: plain integers from elsewhere compare with it."""
    assert issubclass(Result, IntEnum)
    assert Result(17) is Result.SHOULD_WAIT
    assert int(Result.BUSY) == 16


@pytest.mark.parametrize("code", FAILURES)
def test_each_failure_code_has_its_own_error_class(code: str) -> None:
    """Public contract §1: one subclass per code, named after it."""
    error = error_class(code)
    assert issubclass(error, MojoError)
    assert error is not MojoError


@pytest.mark.parametrize("code", FAILURES)
def test_every_error_instance_knows_its_result(code: str) -> None:
    """Public contract §1: `.result` on every instance, raised by the library or by a user."""
    error = error_class(code)("because")
    assert error.result is Result[code]
    assert "because" in str(error)


def test_no_error_class_catches_another_code() -> None:
    """Public contract §1: `except BusyError` must mean BUSY and nothing else."""
    classes = [error_class(code) for code in FAILURES]
    related = [(a, b) for a in classes for b in classes if a is not b and issubclass(a, b)]
    assert related == []


@pytest.mark.parametrize(("code", "builtin"), BUILTINS.items(), ids=BUILTINS)
def test_error_is_also_the_nearest_builtin(code: str, builtin: type[Exception]) -> None:
    """Public contract §1: code that knows only the builtins can catch them."""
    assert issubclass(error_class(code), builtin)


@pytest.mark.parametrize("code", sorted(set(FAILURES) - set(BUILTINS)))
def test_other_errors_do_not_claim_a_builtin(code: str) -> None:
    """Public contract §1: no surprise `except OSError` or `except ValueError` catches."""
    assert not issubclass(error_class(code), (OSError, ValueError, LookupError))


def test_peer_closed_is_a_failed_precondition_and_a_broken_pipe() -> None:
    """Public contract §1."""
    assert issubclass(PeerClosedError, FailedPreconditionError)
    assert issubclass(PeerClosedError, BrokenPipeError)
    assert PeerClosedError("gone").result is Result.FAILED_PRECONDITION


@pytest.mark.parametrize("code", FAILURES)
def test_errors_survive_pickling(code: str) -> None:
    """A task that ran elsewhere must be able to report one."""
    back = pickle.loads(pickle.dumps(error_class(code)("far away")))
    assert type(back) is error_class(code)
    assert back.result is Result[code]
    assert "far away" in str(back)


def test_peer_closed_survives_pickling() -> None:
    """Its two bases disagree about constructor arguments; that must not show."""
    back = pickle.loads(pickle.dumps(PeerClosedError("far away")))
    assert type(back) is PeerClosedError
    assert "far away" in str(back)


def test_raised_error_carries_result_and_text(pipe: MessagePipe) -> None:
    """Public contract §1, on an error that the core raised itself."""
    with pytest.raises(ShouldWaitError) as caught:
        pipe.handle0.read()
    assert caught.value.result is Result.SHOULD_WAIT
    assert str(caught.value)


def test_should_wait_can_be_caught_as_blocking_io_error(pipe: MessagePipe) -> None:
    """Public contract §1."""
    with pytest.raises(BlockingIOError):
        pipe.handle0.read()


def test_peer_closed_can_be_caught_as_broken_pipe_error(pipe: MessagePipe) -> None:
    """Public contract §1."""
    pipe.handle1.close()
    with pytest.raises(BrokenPipeError):
        pipe.handle0.write(b"x")


def test_invalid_argument_can_be_caught_as_value_error(pipe: MessagePipe) -> None:
    """Public contract §1."""
    pipe.handle0.close()
    with pytest.raises(ValueError) as caught:
        pipe.handle0.read()
    assert type(caught.value) is InvalidArgumentError


def test_everything_here_is_public() -> None:
    """Public contract: importable from the package itself, and in `__all__`."""
    names = {error_class(code).__name__ for code in FAILURES}
    names |= {"MojoError", "PeerClosedError", "Result", "Signals", "SignalsState"}
    assert names <= set(mojo_seq.__all__)
