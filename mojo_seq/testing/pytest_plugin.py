"""The plugin for pytest: the fixture `task_environment`, and a check for what tests leave behind.

    pytest --mojo-leaks                         # or, in the ini file: mojo_leaks = true

A test then fails in its teardown if it leaves a handle, a mapping, a sequence, a task, a thread or
a process. A test that fails anyway is not checked: its traceback keeps what it had.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mojo_seq.testing import TaskEnvironment


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the option and the ini option."""
    group = parser.getgroup("mojo_seq")
    help = "check that tests leave no handle, mapping, sequence, task, thread or process behind"
    group.addoption("--mojo-leaks", action="store_true", help=help)
    parser.addini("mojo_leaks", help, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Turns the check on."""
    if config.getoption("mojo_leaks") or config.getini("mojo_leaks"):
        config.pluginmanager.register(_LeakCheck(), "mojo_leaks")


@pytest.fixture
def task_environment(request: pytest.FixtureRequest) -> Iterator[TaskEnvironment]:
    """The test runs in a `mojo_seq.testing.TaskEnvironment`.

    Parametrized indirectly it takes seeds:
    `@pytest.mark.parametrize("task_environment", range(10), indirect=True)`.
    """
    from mojo_seq.testing import TaskEnvironment

    with TaskEnvironment(getattr(request, "param", None)) as environment:
        yield environment


_failed = pytest.StashKey[bool]()


class _LeakCheck:
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed:
            item.stash[_failed] = True
        return report

    @pytest.fixture(autouse=True)
    def mojo_leak_check(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """Outside of all other fixtures of the test."""
        from mojo_seq.testing import leak_check

        logs: pytest.LogCaptureFixture | None = None
        if request.config.pluginmanager.hasplugin("logging-plugin"):
            logs = request.getfixturevalue("caplog")
        before = leak_check.state()
        yield
        if request.node.stash.get(_failed, False):
            return
        # pytest keeps a test's arguments, and logged tracebacks, longer than the test.
        request.node.funcargs.clear()
        if logs is not None:
            logs.get_records("setup").clear()
            logs.get_records("call").clear()
        if left := leak_check.left_behind(before):
            pytest.fail(f"the test left behind: {', '.join(left)}", pytrace=False)
