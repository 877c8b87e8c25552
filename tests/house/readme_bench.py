"""Put the output of the bench, from standard input, into the README.

    python -m mojo_seq bench --rounds 7 --no-plot | python tests/house/readme_bench.py

With all peers installed, and on a machine that is otherwise idle.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
HEADING = "What the bench prints"


def replaced(text: str, sample: str) -> str:
    """The text with another sample in the block under the heading.

    Raises:
        ValueError: there is no such block.
    """
    block = re.compile(rf"(### {HEADING}\n\n```text\n).*?(?=```\n)", re.DOTALL)
    new = sample.strip("\n") + "\n"
    text, count = block.subn(lambda match: match[1] + new, text)
    if count != 1:
        raise ValueError(f"there is no block under {HEADING!r}")
    return text


if __name__ == "__main__":
    README.write_text(replaced(README.read_text(), sys.stdin.read()))
