"""One sample, in a process of its own; printed for `fresh_process.take_sample`.

python -m mojo_seq.cli.bench.sample CASE CONTENDER SHARE
"""

from __future__ import annotations

import os
import sys

from mojo_seq.cli.bench.cases import load_case
from mojo_seq.cli.bench.fresh_process import print_sample
from mojo_seq.cli.bench.process_tree import die_with
from mojo_seq.cli.bench.scale import Scale


def command(case: str, contender: str, share: float) -> list[str]:
    """The command line that takes the sample."""
    return [sys.executable, "-m", __name__, case, contender, f"{share}"]


def main(case: str, contender: str, share: str) -> None:
    print_sample(load_case(case).contender(contender), Scale(float(share)))


if __name__ == "__main__":
    die_with(os.getppid())
    main(*sys.argv[1:])
