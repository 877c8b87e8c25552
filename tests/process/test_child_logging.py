"""What a process logs, and its unhandled exceptions, are told here (contract §10)."""

from __future__ import annotations

import logging
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import log_targets
import pytest
import spawn_targets

from mojo_seq import MessagePipeHandle, Result, Signals, create_message_pipe, spawn_process, wait
from mojo_seq.process import log_record
from mojo_seq.process.log_reader import LogReader

TIMEOUT = 30.0
Read = Callable[[MessagePipeHandle], bytes]
RunChild = Callable[..., int]


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.NOTSET):
        yield


# --- records ---


def test_a_record_arrives_as_it_was(run_child: RunChild, caplog: pytest.LogCaptureFixture) -> None:
    with spawn_process(log_targets.log_everything, name="the child") as child:
        assert child.wait(TIMEOUT) == 0
    plain, mapping, unpicklable, message, caught, stack = caplog.records
    for record in caplog.records:
        assert record.name == "child.kinds"
        assert record.process == child.pid
        assert record.processName == "the child"
        assert record.threadName == "MainThread"
        assert record.filename == "log_targets.py"
        assert record.funcName == "log_everything"
        assert record.exc_info is None
    assert [record.levelname for record in caplog.records] == [
        "DEBUG", "INFO", "WARNING", "ERROR", "ERROR", "CRITICAL"
    ]  # fmt: skip
    assert (plain.msg, plain.args, plain.getMessage()) == ("plain %d %s", (1, "two"), "plain 1 two")
    assert (plain.__dict__["number"], plain.__dict__["thing"]) == (7, "<unpicklable>")
    assert (mapping.args, mapping.getMessage()) == ({"key": "value"}, "mapping value")
    assert (unpicklable.args, unpicklable.getMessage()) == (None, "object <unpicklable>")
    assert message.getMessage() == "<unpicklable>"
    assert caught.exc_text is not None and caught.exc_text.endswith("ValueError: in the child")
    assert stack.stack_info is not None and "log_everything" in stack.stack_info


def test_records_keep_their_order_and_none_is_lost(
    run_child: RunChild, caplog: pytest.LogCaptureFixture
) -> None:
    count = 5_000
    assert run_child(log_targets.log_many, count) == 0
    assert [int(record.getMessage()) for record in caplog.records] == list(range(count))


def test_all_have_been_handled_when_the_wait_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """However slowly they are: the wait is for them, too."""

    class Slow(logging.Handler):
        handled = 0

        def emit(self, record: logging.LogRecord) -> None:
            threading.Event().wait(0.001)
            self.handled += 1

    slow = Slow()
    logger = logging.getLogger("many")
    logger.addHandler(slow)
    try:
        with spawn_process(log_targets.log_many, 200) as child:
            child.wait()
            assert slow.handled == 200
    finally:
        logger.removeHandler(slow)


def test_records_come_while_it_runs(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    came = threading.Event()

    class Telling(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            came.set()

    telling = Telling()
    logging.getLogger("early").addHandler(telling)
    try:
        with spawn_process(log_targets.log_and_wait, "early") as child:
            assert came.wait(TIMEOUT)
            assert child.exitcode is None
    finally:
        logging.getLogger("early").removeHandler(telling)


def test_many_children_log_at_once(caplog: pytest.LogCaptureFixture) -> None:
    children = [spawn_process(log_targets.log_many, 300, name=f"child {n}") for n in range(4)]
    for child in children:
        with child:
            assert child.wait(TIMEOUT) == 0
    for child in children:
        own = [record for record in caplog.records if record.process == child.pid]
        assert [int(record.getMessage()) for record in own] == list(range(300))


def test_filters_and_handlers_here_decide(run_child: RunChild) -> None:
    logger = logging.getLogger("many")
    seen = list[str]()

    def odd(record: logging.LogRecord) -> bool:
        return int(record.getMessage()) % 2 == 1

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    keep = Keep()
    logger.addFilter(odd)
    logger.addHandler(keep)
    try:
        assert run_child(log_targets.log_many, 6) == 0
    finally:
        logger.removeFilter(odd)
        logger.removeHandler(keep)
    assert seen == ["1", "3", "5"]


def test_a_handler_here_may_wait_for_the_child() -> None:
    """On the very thread that takes the log."""
    codes = list[int]()
    logger = logging.getLogger("many")
    with spawn_process(log_targets.log_many, 3) as child:

        class Waiting(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if not codes:
                    codes.append(-1)
                    codes[0] = child.wait(TIMEOUT)

        waiting = Waiting()
        logger.addHandler(waiting)
        try:
            assert child.wait(TIMEOUT) == 0
        finally:
            logger.removeHandler(waiting)
    assert codes in ([], [0])


def test_a_filter_that_raises_loses_nothing_else(
    run_child: RunChild, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def bad(record: logging.LogRecord) -> bool:
        if record.getMessage() == "1":
            raise ZeroDivisionError("in a filter")
        return True

    logging.getLogger("many").addFilter(bad)
    try:
        assert run_child(log_targets.log_many, 3) == 0
    finally:
        logging.getLogger("many").removeFilter(bad)
    assert [record.getMessage() for record in caplog.records] == ["0", "2"]
    assert "in a filter" in capsys.readouterr().err


# --- levels ---


def test_levels_are_those_here_at_the_start(read: Read) -> None:
    logging.getLogger("quiet").setLevel(logging.ERROR)
    logging.disable(5)
    before = logging.root.level
    logging.root.setLevel(17)
    try:
        with spawn_process(log_targets.answer_levels, ["quiet", "other"]) as child:
            expected = repr((17, {"quiet": logging.ERROR, "other": logging.NOTSET}, 5))
            assert read(child.pipe).decode() == expected
    finally:
        logging.root.setLevel(before)
        logging.disable(logging.NOTSET)
        logging.getLogger("quiet").setLevel(logging.NOTSET)


def test_what_is_below_the_level_does_not_come(
    run_child: RunChild, caplog: pytest.LogCaptureFixture
) -> None:
    records = [("a", level, "text %d", (level,)) for level in (10, 20, 30, 40)]
    with caplog.at_level(logging.WARNING):
        assert run_child(log_targets.log_all, records) == 0
    assert [record.levelno for record in caplog.records] == [30, 40]


def test_warnings_come_if_they_are_captured_here(
    run_child: RunChild, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_child(log_targets.warn) == 0
    assert "UserWarning: look out" in capfd.readouterr().err
    assert caplog.records == []
    with warnings.catch_warnings():  # pytest captures them, too
        logging.captureWarnings(True)
        try:
            assert run_child(log_targets.warn) == 0
        finally:
            logging.captureWarnings(False)
    assert capfd.readouterr().err == ""
    (record,) = caplog.records
    assert record.name == "py.warnings"
    assert "UserWarning: look out" in record.getMessage()


# --- exceptions ---


def the_one(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("mojo_seq", logging.ERROR)
    return record


def test_the_exception_that_ends_it(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with spawn_process(spawn_targets.raise_error, ValueError("why"), name="failing") as child:
        assert child.wait(TIMEOUT) == 1
    record = the_one(caplog)
    assert record.getMessage() == f"process 'failing' (pid {child.pid}) ended by an exception"
    assert record.exc_text is not None
    assert record.exc_text.startswith("Traceback (most recent call last):\n")
    assert record.exc_text.endswith("ValueError: why")
    assert "raise error" in record.exc_text  # the source line
    assert "spawned_child.py" not in record.exc_text  # whose frame says nothing
    assert capfd.readouterr() == ("", "")


def test_it_is_formatted_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    with spawn_process(spawn_targets.raise_error, ValueError("why")) as child:
        child.wait(TIMEOUT)
    formatted = logging.Formatter("%(levelname)s %(message)s").format(the_one(caplog))
    assert formatted.startswith("ERROR process 'raise_error'")
    assert formatted.endswith("ValueError: why")


def test_one_in_a_thread(run_child: RunChild, caplog: pytest.LogCaptureFixture) -> None:
    assert run_child(log_targets.fail_in_a_thread) == 0
    record = the_one(caplog)
    assert "thread 'worker' of process 'fail_in_a_thread'" in record.getMessage()
    assert record.exc_text is not None and record.exc_text.endswith("ValueError: in a thread")


def test_a_thread_that_exits_is_no_error(
    run_child: RunChild, caplog: pytest.LogCaptureFixture
) -> None:
    assert run_child(log_targets.exit_in_a_thread) == 0
    assert caplog.records == []


def test_one_in_a_finalizer(run_child: RunChild, caplog: pytest.LogCaptureFixture) -> None:
    assert run_child(log_targets.fail_in_a_finalizer) == 0
    record = the_one(caplog)
    assert "__del__" in record.getMessage()
    assert record.exc_text is not None and record.exc_text.endswith("ValueError: in a finalizer")


def test_whatever_the_program_does_to_its_logging(
    run_child: RunChild, caplog: pytest.LogCaptureFixture
) -> None:
    assert run_child(log_targets.take_over_logging) == 1
    record = the_one(caplog)
    assert record.exc_text is not None and "told all the same" in record.exc_text


# --- where there is no parent ---


def test_a_fork_of_the_child_logs_to_stderr(
    run_child: RunChild, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_child(log_targets.log_in_a_fork) == 0
    assert [record.getMessage() for record in caplog.records] == ["from the child"]
    assert capfd.readouterr().err == "from the fork\n"


# --- records on the way ---


def record_with(**extra: Any) -> logging.LogRecord:
    record = logging.LogRecord("name", logging.INFO, __file__, 1, "text %s", ("arg",), None)
    record.__dict__.update(extra)
    return record


PLAIN = [None, True, 1 << 5000, 1.5, "ü\udcff", b"\xff", (1, [2]), {"a": {3}}, frozenset([4])]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_stay_what_they_are(value: object) -> None:
    decoded = log_record.decode(log_record.encode(record_with(extra=value)))
    assert decoded.__dict__["extra"] == value
    assert type(decoded.__dict__["extra"]) is type(value)


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


class Shy:
    def __repr__(self) -> str:
        raise ZeroDivisionError


OTHER: list[tuple[object, str | None]] = [
    (print, None),
    (int, None),
    (threading.Lock(), None),
    (logging, None),
    (1j, None),
    (Result.OK, None),
    (nested(100_000), "<list without a text: RecursionError>"),
    (Shy(), "<Shy without a text: ZeroDivisionError>"),
]


@pytest.mark.parametrize("number", range(len(OTHER)))
def test_other_values_become_text(number: int) -> None:
    value, text = OTHER[number]
    decoded = log_record.decode(log_record.encode(record_with(extra=value)))
    assert decoded.__dict__["extra"] == (text or repr(value))
    assert decoded.getMessage() == "text arg"


class Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a child has run code in its parent",)


DAMAGED = [
    b"",
    b"garbage",
    pickle.dumps(Attack()),
    pickle.dumps({"name": "x", "levelno": 30, "msg": Attack()}),
    pickle.dumps([]),
    pickle.dumps({}),
    pickle.dumps({"name": 3, "levelno": 30}),
    pickle.dumps({"name": "x", "levelno": "30"}),
    pickle.dumps({3: 4, "name": "x", "levelno": 30}),
    b"\x80\x05\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x80\x05\x82\x01.",
]


@pytest.mark.parametrize("payload", DAMAGED, ids=range(len(DAMAGED)))
def test_nothing_but_a_record_is_taken_for_one(payload: bytes) -> None:
    with pytest.raises(ValueError):
        log_record.decode(payload)


def test_a_damaged_log_is_told_once_and_read_no_more(caplog: pytest.LogCaptureFixture) -> None:
    near, far = create_message_pipe()
    reader = LogReader(far, "a process")
    with near:
        near.write(log_record.encode(record_with()))
        for _ in range(3):
            near.write(pickle.dumps(Attack()))
        assert reader.finish()
        assert near.query_signals_state().peer_closed
    first, second = caplog.records
    assert first.getMessage() == "text arg"
    assert second.getMessage() == "the log of a process is damaged"


def test_a_reader_that_is_busy_is_waited_for() -> None:
    near, far = create_message_pipe()
    reader = LogReader(far, "a process")
    with near:
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            with reader._lock:
                held.set()
                release.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        assert not reader.finish(0.01)
        release.set()
        thread.join()
        assert reader.finish(TIMEOUT)
        assert wait(near, Signals.PEER_CLOSED, 0)[0] is Result.OK
