"""What mojo_seq is compared to: parts of the standard library, and optional packages."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class Library:
    name: str  # also that of the distribution
    module: str  # what a contender `requires`
    is_standard: bool = False

    @property
    def is_installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None

    @property
    def label(self) -> str:
        """Its name, and its version if it is not Python's."""
        return self.name if self.is_standard else f"{self.name} {version_of(self.name)}"


LIBRARIES = (
    Library("queue", "queue", is_standard=True),
    Library("multiprocessing", "multiprocessing", is_standard=True),
    Library("concurrent.futures", "concurrent.futures", is_standard=True),
    Library("pyzmq", "zmq"),
    Library("Pykka", "pykka"),
    Library("xoscar", "xoscar"),
    Library("Ray", "ray"),
)


def find_library(name: str) -> Library:
    """By its name, in whatever case, or its module.

    Raises:
        LookupError: it is none of LIBRARIES.
    """
    for library in LIBRARIES:
        if name.lower() in (library.name.lower(), library.module):
            return library
    raise LookupError(name)


def version_of(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of unknown version"
