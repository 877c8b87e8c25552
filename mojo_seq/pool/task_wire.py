"""What follows the pickle in the messages of task pipes."""

from __future__ import annotations

import struct

# To the worker, after a pickle of (function, args, kwargs), or of (args, kwargs) and the function's
# name: when the task has to be over (time.monotonic(), of all processes the same; infinity for
# never), flags, and how long the name is that stands before all this; 0: there is none.
TASK = struct.Struct("<dBH")
NEVER = float("inf")
TIMED = 1  # the board is to say when it began
LONGEST_NAME = 0xFFFF

# From the worker, one answer for each task, in their order: its microseconds, and what it is.
ANSWER = struct.Struct("<IB")
LONGEST = 0xFFFFFFFF
RESULT, FAILURE, SKIPPED = range(3)
ITEM = 3  # one more thing from the task that runs; comes before its answer
READY = 4  # the first message: the worker takes tasks
