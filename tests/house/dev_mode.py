"""What programs that run in Python's development mode say."""

from __future__ import annotations

import re

# asyncio's debug mode tells of every callback that takes more than a tenth of a second: of the
# machine, that is, and of nothing that the program has done.
_SLOW = re.compile(r"^Executing <.*> took \d+\.\d{3} seconds\n", re.MULTILINE)


def complaints(stderr: str) -> str:
    """All of it but how slow the machine is."""
    return _SLOW.sub("", stderr)
