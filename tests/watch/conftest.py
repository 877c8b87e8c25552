"""Fixtures of the watching tests: pipes that are closed again, and the worlds of async/await."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import anyio
import pytest
import trio

from mojo_seq import MessagePipe, create_message_pipe

TIMEOUT = 30.0
Main = Callable[[], Awaitable[None]]
Run = Callable[[Main], None]


@pytest.fixture(autouse=True)
def forget_logs(caplog: pytest.LogCaptureFixture, nothing_left_behind: None) -> Iterator[None]:
    """Before what is left is counted: the tracebacks of logged errors refer to tests' objects."""
    yield
    caplog.get_records("call").clear()


@pytest.fixture
def make_pipe() -> Iterator[Callable[[], MessagePipe]]:
    """A maker of message pipes; both ends of each are closed when the test ends."""
    made: list[MessagePipe] = []

    def make() -> MessagePipe:
        made.append(create_message_pipe())
        return made[-1]

    yield make
    for pipe in made:
        for end in pipe:
            end.close()
    made.clear()


@pytest.fixture
def pipe(make_pipe: Callable[[], MessagePipe]) -> MessagePipe:
    """One message pipe: tests watch handle0 and write to handle1."""
    return make_pipe()


def run_on_asyncio(main: Main) -> None:
    async def whole() -> None:
        await asyncio.wait_for(main(), TIMEOUT)

    asyncio.run(whole())


def run_on_trio(main: Main) -> None:
    async def whole() -> None:
        with trio.fail_after(TIMEOUT):
            await main()

    trio.run(whole)


def run_on_anyio_asyncio(main: Main) -> None:
    anyio.run(main, backend="asyncio")


def run_on_anyio_trio(main: Main) -> None:
    anyio.run(main, backend="trio")


@pytest.fixture(params=[run_on_asyncio, run_on_trio, run_on_anyio_asyncio, run_on_anyio_trio])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine function to its end in one of the worlds."""
    chosen: Run = request.param
    return chosen
