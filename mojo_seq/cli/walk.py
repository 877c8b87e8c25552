"""Finding regular files, and saying why something is not one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import NamedTuple

SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


class Problem(NamedTuple):
    """Something that cannot be hashed. `kind`: unreadable, broken-link, special or changed."""

    path: str
    kind: str
    reason: str


class Survey(NamedTuple):
    files: int
    nbytes: int


def explain(error: OSError) -> str:
    return error.strerror or str(error)


def distinct_roots(paths: Iterable[str]) -> list[str]:
    """`paths` without those that lie inside another one: no file shall be its own duplicate."""
    roots: dict[str, str] = {}
    for path in paths:
        roots.setdefault(os.path.realpath(path), path)
    return [
        path
        for real, path in roots.items()
        if not any(str(parent) in roots for parent in PurePath(real).parents)
    ]


def walk(roots: Iterable[str]) -> Iterator[str | Problem]:
    """Yield the path of every regular file under `roots`, and a Problem for what is none.

    Symbolic links are followed when they are roots; inside a tree they are only checked for being
    broken (a target inside the tree is met anyway, and a link cannot lead into a loop).
    One folder is open at a time, and nothing is sorted: memory does not grow with the tree.
    """
    folders: list[str] = []
    for root in roots:
        try:
            mode = os.stat(root).st_mode
        except OSError as error:
            yield Problem(root, "unreadable", explain(error))
            continue
        if stat.S_ISDIR(mode):
            folders.append(root)
        elif stat.S_ISREG(mode):
            yield root
        else:
            yield Problem(root, "special", SPECIAL.get(stat.S_IFMT(mode), "not a regular file"))
        while folders:
            yield from _list(folders.pop(), folders)


def _list(folder: str, subfolders: list[str]) -> Iterator[str | Problem]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    subfolders.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry.path
                elif problem := _why_not(entry):
                    yield problem
    except OSError as error:
        yield Problem(folder, "unreadable", explain(error))


def _why_not(entry: os.DirEntry[str]) -> Problem | None:
    try:
        mode = os.stat(entry.path).st_mode  # of a link's target
    except OSError as error:
        kind = "broken-link" if entry.is_symlink() else "unreadable"
        return Problem(entry.path, kind, explain(error))
    if entry.is_symlink():
        return None
    return Problem(entry.path, "special", SPECIAL.get(stat.S_IFMT(mode), "not a regular file"))


def survey(roots: Iterable[str], cancelled: Callable[[], bool]) -> Survey:
    """Count files and bytes (until cancelled), so that progress has a total."""
    files = nbytes = 0
    for found in walk(roots):
        if cancelled():
            break
        if isinstance(found, str):
            try:
                nbytes += os.stat(found).st_size
            except OSError:
                continue  # gone already; the reader reports it
            files += 1
    return Survey(files, nbytes)
