"""Fixtures of the tests of the testing kit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mojo_seq.testing import TaskEnvironment


@pytest.fixture(autouse=True)
def forget_logs(caplog: pytest.LogCaptureFixture, nothing_left_behind: None) -> Iterator[None]:
    """Before what is left is counted: the tracebacks of logged errors refer to tests' objects."""
    yield
    caplog.get_records("call").clear()


@pytest.fixture(params=[None, 0, 1, 2])
def env(request: pytest.FixtureRequest) -> Iterator[TaskEnvironment]:
    """An environment: what a test says must hold in every order."""
    with TaskEnvironment(request.param) as environment:
        yield environment
