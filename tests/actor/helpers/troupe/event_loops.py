"""Actors that use what asyncio offers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mojo_seq import Actor, ActorRef
from troupe.journal import JournalKeeper


class LineServer(Actor):
    """Answers each line in capitals."""

    def __init__(self) -> None:
        self.count = 0
        self.server: asyncio.Server | None = None

    async def serve(self) -> tuple[str, int]:
        self.server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        host, port = self.server.sockets[0].getsockname()
        return host, port

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        with suppress(asyncio.CancelledError):  # asyncio 3.11 stumbles over a cancelled handler
            while line := await reader.readline():
                writer.write(line.upper())
                await writer.drain()
        writer.close()

    def served(self) -> int:
        return self.count

    def on_stop(self, reason: object) -> None:
        if self.server is not None:
            self.server.close()


class LineClient(Actor):
    """Talks to a LineServer, to threads and to processes."""

    async def ask_lines(self, address: tuple[str, int], text: str, count: int) -> list[str]:
        reader, writer = await asyncio.open_connection(*address)
        answers = []
        for number in range(count):
            writer.write(f"{text} {number}\n".encode())
            answers.append((await reader.readline()).decode().rstrip())
        writer.close()
        await writer.wait_closed()
        return answers

    async def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(function, *args)

    async def run(self, command: list[str]) -> str:
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return out.decode()


class Tasks(Actor):
    """Has tasks, timers and callbacks of its own."""

    def __init__(self, journal: ActorRef[JournalKeeper] | None) -> None:
        self.journal = journal
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self, count: int) -> None:
        self.tasks = [asyncio.create_task(self._wait()) for _ in range(count)]

    async def _wait(self) -> None:
        assert self.journal is not None
        self.journal.tell(JournalKeeper.note, "started")
        try:
            await asyncio.Event().wait()
        finally:
            self.journal.tell(JournalKeeper.note, "cancelled")

    async def facts(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        try:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(3600)
            timed_out = False
        except TimeoutError:
            timed_out = True
        return {
            "same loop": asyncio.get_running_loop() is loop,
            "task": task is not None and asyncio.current_task() is task,
            "timeout": timed_out,
            "gathered": await asyncio.gather(*(asyncio.sleep(0.001, n) for n in (1, 2, 3))),
        }

    def has_loop(self) -> bool:
        return self._spawned().loop is not None

    async def pass_on(self, others: list[ActorRef[Tasks]]) -> int:
        if not others:
            return 1
        return 1 + await others[0].ask(Tasks.pass_on, others[1:])

    async def call_soon_and_later(self) -> list[bool]:
        loop = asyncio.get_running_loop()
        seen: list[bool] = []
        done = asyncio.Event()

        def look() -> None:
            seen.append(asyncio.get_running_loop() is loop)
            if len(seen) == 3:
                done.set()

        loop.call_soon(look)
        loop.call_later(0.001, look)
        await asyncio.to_thread(loop.call_soon_threadsafe, look)
        await done.wait()
        return seen

    async def kind_of_loop(self) -> str:
        return type(asyncio.get_running_loop()).__name__
