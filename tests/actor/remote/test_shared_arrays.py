"""Arrays in messages to actors in worker processes: shared ones, and given ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from strangers import Arrays
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import ActorSystem, _core
from mojo_seq.process import give, shared_array


def test_an_actor_and_its_asker_write_to_the_same_array(put: Put) -> None:
    actor = put(Arrays)
    array = shared_array((20, 30))
    assert actor.keep({"it": array[::2]}).result(TIMEOUT) is None
    actor.fill(7).result(TIMEOUT)
    assert (array[::2] == 7).all() and (array[1::2] == 0).all()
    array[:] = 2
    assert actor.total().result(TIMEOUT) == 2 * 300


def test_actors_of_several_workers_share_what_one_of_them_has_made(put: Put) -> None:
    actors = [put(Arrays) for _ in range(4)]
    array = actors[0].make(100).result(TIMEOUT)
    for actor in actors[1:]:
        actor.keep({"it": array}).result(TIMEOUT)
    actors[3].fill(3).result(TIMEOUT)
    assert [actor.total().result(TIMEOUT) for actor in actors] == [300.0] * 4
    assert array.sum() == 300


def test_a_given_array_goes_to_the_actor_and_back_without_a_copy(put: Put) -> None:
    actor = put(Arrays)
    array = shared_array(100_000)
    array[:] = np.arange(100_000)
    address = array.ctypes.data
    back = actor.negative(give(array)).result(TIMEOUT)
    assert back.ctypes.data == address and back.flags.writeable
    assert not array.flags.writeable
    assert (back == -np.arange(100_000)).all()


def test_what_is_sent_before_the_actor_is_placed_is_shared_too(put: Put) -> None:
    array = shared_array(100)
    actor = put(Arrays, array)
    actor.fill.tell(5)
    actor.total().result(TIMEOUT)
    assert (array == 5).all()


def test_here_a_given_array_is_just_an_array(system: ActorSystem) -> None:
    actor: Any = system.spawn(Arrays)
    array = np.arange(10.0)
    back = actor.negative(give(array)).result(TIMEOUT)
    assert (back == -np.arange(10)).all()


def test_arrays_end_with_the_actors_that_keep_them(put: Put) -> None:
    actor = put(Arrays)
    actor.keep({"it": shared_array(1000)}).result(TIMEOUT)
    actor.keep(None).result(TIMEOUT)
    assert _core.shared_segment_count() == 0
