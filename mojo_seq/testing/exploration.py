"""explore: a test under many schedules."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

from mojo_seq.testing.deadlock_error import NestingError
from mojo_seq.testing.task_environment import TaskEnvironment


def explore(test: Callable[[TaskEnvironment], object], seeds: Iterable[int] = range(100)) -> None:
    """Calls `test(env)` in a fresh TaskEnvironment for each seed, until it fails.

    A schedule that one thread cannot run (`NestingError`) says nothing about the program, and is
    passed over.

    Args:
        test: everything that it uses must be made anew in each call.
        seeds: one schedule each.

    Raises:
        BaseException: what the test raised with the first seed for which it failed, or what one
            of its tasks raised, with a note that names the seed.
        NestingError: there was no other schedule among those of the seeds.
        TypeError: the test is a coroutine function, which nobody would run.
    """
    if not callable(test):
        raise TypeError(f"test must be callable, not {type(test).__name__}")
    if inspect.iscoroutinefunction(test):
        raise TypeError("test must be a plain function")
    passed = False
    nesting: NestingError | None = None
    for seed in seeds:
        environment = TaskEnvironment(seed)
        note = f"seed {seed} fails: explore(test, seeds=[{seed}]) repeats it, also in a debugger"
        try:
            with environment:
                test(environment)
        except Exception as error:
            if environment.nesting_error is None:
                error.add_note(note)
                raise
        except BaseException as error:
            error.add_note(note)
            raise
        else:
            passed |= environment.nesting_error is None
        if environment.nesting_error is not None:
            nesting = environment.nesting_error
            nesting.add_note(note)
    if nesting is not None and not passed:
        raise nesting
