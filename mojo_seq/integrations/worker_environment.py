"""What a worker is to find in its environment, before anything is imported that looks there."""

from __future__ import annotations

import os


def set_environment(variables: dict[str, str]) -> None:
    """As an initializer of a pool."""
    os.environ.update(variables)
