"""What all handle types have in common: life, value, identity (contract §2, system rules §2)."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from mojo_seq import (
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    Handle,
    InvalidArgumentError,
    MessagePipe,
    MessagePipeHandle,
    PlatformHandle,
    SharedBufferHandle,
    Watcher,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    wrap_fd,
)

TYPES: list[type[Handle]] = [
    MessagePipeHandle,
    DataPipeProducerHandle,
    DataPipeConsumerHandle,
    SharedBufferHandle,
    PlatformHandle,
    Watcher,
]


def make(kind: type[Handle]) -> list[Handle]:
    """A handle of the kind, first in the list, and whatever was made with it."""
    if kind is MessagePipeHandle:
        return list(create_message_pipe())
    if kind is DataPipeProducerHandle:
        return list(create_data_pipe(8))
    if kind is DataPipeConsumerHandle:
        return list(reversed(create_data_pipe(8)))
    if kind is SharedBufferHandle:
        return [create_shared_buffer(8)]
    if kind is PlatformHandle:
        return [wrap_fd(os.open("/dev/null", os.O_RDWR))]
    return [Watcher(lambda *_: None)]


@pytest.fixture(params=TYPES, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[Handle]:
    """Each handle type in turn."""
    chosen: type[Handle] = request.param
    return chosen


@pytest.fixture
def handle(kind: type[Handle], closing: list[Handle]) -> Handle:
    """An open handle of each type in turn."""
    closing.extend(make(kind))
    return closing[0]


def test_creation_gives_the_documented_type(handle: Handle, kind: type[Handle]) -> None:
    """Public contract §2."""
    assert type(handle) is kind
    assert isinstance(handle, Handle)


def test_value_of_an_open_handle_is_a_nonzero_int(handle: Handle) -> None:
    """System rules §2: 0 is never valid."""
    assert isinstance(handle.value, int)
    assert handle.value != 0
    assert handle.is_valid is True


def test_open_handles_have_different_values(closing: list[Handle]) -> None:
    """System rules §2: the value tells open handles apart, across types."""
    for kind in TYPES:
        closing.extend(make(kind))
    assert len({handle.value for handle in closing}) == len(closing)


def test_closed_handle_has_value_zero_and_is_invalid(handle: Handle) -> None:
    """Public contract §2."""
    handle.close()
    assert handle.value == 0
    assert handle.is_valid is False


def test_close_is_idempotent(handle: Handle) -> None:
    """Public contract §2."""
    handle.close()
    handle.close()
    assert not handle.is_valid


def test_with_block_closes(handle: Handle) -> None:
    """Public contract §2."""
    with handle as entered:
        assert entered is handle
        assert handle.is_valid
    assert not handle.is_valid


def test_with_block_closes_when_its_body_raises(handle: Handle) -> None:
    """Public contract §2: and lets the exception through."""
    with pytest.raises(KeyError), handle:
        raise KeyError
    assert not handle.is_valid


def test_with_block_does_not_mind_a_handle_closed_inside(handle: Handle) -> None:
    """Public contract §2: closes on exit if still valid."""
    with handle:
        handle.close()
    assert not handle.is_valid


def test_closed_handle_cannot_be_entered(handle: Handle) -> None:
    """Public contract §2: any other operation on a closed handle raises."""
    handle.close()
    with pytest.raises(InvalidArgumentError):
        handle.__enter__()


def test_query_on_a_closed_handle_raises(handle: Handle) -> None:
    """Public contract §2."""
    handle.close()
    with pytest.raises(InvalidArgumentError):
        handle.query_signals_state()


@pytest.mark.parametrize("kind", [Handle, *TYPES[:-1]])
def test_handle_types_cannot_be_instantiated(kind: Any) -> None:
    """`create_*` and `wrap_*` make them; a bare constructor could only make an invalid one."""
    with pytest.raises(TypeError):
        kind()


def test_repr_says_type_value_and_state(handle: Handle, kind: type[Handle]) -> None:
    """Public contract §2."""
    open_repr = repr(handle)
    assert kind.__name__ in open_repr
    assert str(handle.value) in open_repr or hex(handle.value) in open_repr
    handle.close()
    assert kind.__name__ in repr(handle)
    assert "closed" in repr(handle)
    assert "closed" not in open_repr


def test_repr_tells_sent_from_closed(pipe: MessagePipe, closing: list[Handle]) -> None:
    """Public contract §2: the state in a repr is what one debugs with."""
    closing.append(create_shared_buffer(1))
    pipe.handle0.write(b"", [closing[-1]])
    assert "sent" in repr(closing[-1])


def test_hash_and_equality_are_identity(pipe: MessagePipe) -> None:
    """Public contract §2: hashable by identity."""
    a, b = pipe
    assert a == a
    assert a != b
    assert {a: 1, b: 2} == {b: 2, a: 1}


def test_hash_does_not_change_on_close(handle: Handle) -> None:
    """Public contract §2: a closed handle must still be found in its dict."""
    table = {handle: "here"}
    handle.close()
    assert table[handle] == "here"


def test_handles_have_no_order(handle: Handle) -> None:
    """System rules §2: ordering raises TypeError."""
    untyped: object = handle
    with pytest.raises(TypeError):
        sorted([untyped, untyped])  # type: ignore[type-var]


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copying_a_handle_raises(handle: Handle, copier: Callable[[Handle], Handle]) -> None:
    """Public contract §2: not copyable."""
    with pytest.raises(TypeError):
        copier(handle)
    assert handle.is_valid


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_a_handle_says_what_to_do(handle: Handle, protocol: int) -> None:
    """Public contract §2."""
    with pytest.raises(TypeError, match="attach it to a message"):
        pickle.dumps(handle, protocol)
    assert handle.is_valid


def test_pickling_a_closed_handle_raises_too(handle: Handle) -> None:
    """Public contract §2: there is nothing in it to send."""
    handle.close()
    with pytest.raises(TypeError):
        pickle.dumps(handle)


@pytest.mark.parametrize("name", ["value", "is_valid"])
def test_handle_attributes_are_read_only(handle: Handle, name: str) -> None:
    """Public contract §2: opaque."""
    with pytest.raises(AttributeError):
        setattr(handle, name, 1)


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind is not Watcher])
def test_dropping_an_open_handle_warns(kind: type[Handle]) -> None:
    """Public contract §2: closed, and a ResourceWarning."""
    handles = make(kind)
    with pytest.warns(ResourceWarning, match=kind.__name__):
        del handles[0]
        gc.collect()
    for handle in handles:
        handle.close()


def test_dropping_a_watcher_is_silent() -> None:
    """Public contract §7: dropping the last reference is a way to close one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watcher = Watcher(lambda *_: None)
        del watcher
        gc.collect()


def test_dropping_an_open_handle_closes_it(pipe: MessagePipe) -> None:
    """Public contract §2: the peer sees it go."""
    survivor, dropped = create_message_pipe()
    with survivor, pytest.warns(ResourceWarning):
        del dropped
        gc.collect()
        assert survivor.query_signals_state().peer_closed


def test_dropping_a_closed_or_sent_handle_is_silent(kind: type[Handle], pipe: MessagePipe) -> None:
    """Public contract §2: only open ones warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        handles = make(kind)
        if kind is Watcher:
            handles[0].close()
        else:
            pipe.handle0.write(b"", [handles[0]])
        del handles[0]
        for handle in handles:
            handle.close()
        handles.clear()
        gc.collect()


def test_resource_warning_names_the_place_of_creation(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Public contract §2: when tracemalloc is on."""
    source = """\
        import mojo_seq
        a, b = mojo_seq.create_message_pipe()  # line 2
        a.close()
        pass
        del b
        """
    done = run_python(source, "-X", "tracemalloc=5", "-W", "always")
    assert done.returncode == 0, done.stderr
    assert "ResourceWarning" in done.stderr
    assert "lineno 2" in done.stderr or "<string>:2" in done.stderr
