"""No test that crosses processes is forgotten where every mode of the rings is tried."""

from __future__ import annotations

import pytest

# Who imports one of these can reach another process.
WAYS = {
    "Invitation",
    "NamedChannel",
    "PlatformChannel",
    "ProcessPool",
    "multiprocessing",
    "spawn_process",
}


def test_what_crosses_processes_is_marked(request: pytest.FixtureRequest) -> None:
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    assert request.node in items
    forgotten = {
        item.nodeid
        for item in items
        if WAYS & vars(item.module).keys() and not item.get_closest_marker("across_processes")
    }
    assert not forgotten
