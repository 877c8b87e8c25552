"""Print the commands that the README gives under a heading, so that they can be run as they stand.

    bash -euxc "$(python tests/house/readme_command.py 'Run the tests')"

Without a heading: all blocks of code, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).parents[2] / "README.md"


class Block(NamedTuple):
    """A fenced block of code, and the nearest heading above it."""

    heading: str
    language: str
    code: str


def blocks(text: str) -> list[Block]:
    found = []
    heading, language, lines = "", None, list[str]()
    for line in text.splitlines():
        if language is not None and line.rstrip() == "```":
            found.append(Block(heading, language, "\n".join(lines) + "\n"))
            language, lines = None, []
        elif language is not None:
            lines.append(line)
        elif line.startswith("```"):
            language = line.removeprefix("```").strip()
        elif match := re.match(r"#+\s+(.*)", line):
            heading = match[1].strip()
    if language is not None:
        raise ValueError("a block of code is not closed")
    return found


def main(arguments: list[str]) -> int:
    found = blocks(README.read_text())
    if not arguments:
        print(json.dumps([block._asdict() for block in found]))
        return 0
    matching = [block for block in found if (block.heading, block.language) == (arguments[0], "sh")]
    if len(matching) != 1:
        print(f"{len(matching)} shell blocks under {arguments[0]!r}", file=sys.stderr)
        return 1
    print(matching[0].code, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
