"""Methods that have the names of what refs and actors have themselves."""

from __future__ import annotations

from typing import Any

from mojo_seq import Actor


class Namesakes(Actor):
    def stop(self) -> Any:
        return "message stop"

    def kill(self) -> str:
        return "message kill"

    def name(self) -> str:
        return "message name"

    def is_alive(self) -> str:
        return "message is_alive"

    def ask(self) -> str:
        return "message ask"

    def tell(self) -> str:
        return "message tell"

    def actor_class(self) -> str:
        return "message actor_class"
