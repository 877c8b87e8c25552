"""`__all__`, the stub of the core and the public contract agree on names and signatures."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import mojo_seq
import mojo_seq.testing
from mojo_seq import _core, actor, pool, process, sequence, system, watch

# The public contract, by section: classes, functions, and with a dot in front the members of the
# class above. What is called has its parameters, anything else (also a class that is not made by
# calling it) has none.
CONTRACT = {
    "1 results, errors, signals": """
        Result  MojoError  .result
        CancelledError  UnknownError  InvalidArgumentError  DeadlineExceededError  NotFoundError
        AlreadyExistsError  PermissionDeniedError  ResourceExhaustedError  FailedPreconditionError
        AbortedError  OutOfRangeError  UnimplementedError  InternalError  UnavailableError
        DataLossError  BusyError  ShouldWaitError  PeerClosedError
        Signals  .NONE  .READABLE  .WRITABLE  .PEER_CLOSED  .NEW_DATA_READABLE  .PEER_REMOTE
        SignalsState(satisfied=0, satisfiable=0)  .satisfied  .satisfiable
        .readable  .writable  .peer_closed  .new_data_readable  .peer_remote
        .never_readable  .never_writable  .never_peer_closed
        .satisfies(signals)  .can_satisfy(signals)
    """,
    "2 handles": """
        Handle  .value  .is_valid  .close()  .query_signals_state()
        .__enter__()  .__exit__(*exc_info)
    """,
    "3 message pipes": """
        create_message_pipe()  fuse_message_pipes(a, b)
        MessagePipe(handle0, handle1)
        MessagePipeHandle  .write(payload=b"", handles=())  .write_message(message, handles=())
        .write_batch(payloads)  .read()  .read_batch(max_messages=64)
        Message(payload=b"", handles=())
        .allocate(nbytes, handles=(), *, zeroed=True, receiver=None)
        .from_object(obj, serializer=None)
        .is_serialized  .payload  .handles  .take_handles()  .context  .take_context()
        .extend(nbytes, handles=())  .serialize()  .close()  .notify_bad(reason)
        .__enter__()  .__exit__(*exc_info)  .__len__  .__bytes__()
    """,
    "4 data pipes": """
        create_data_pipe(capacity=0, element_size=1)
        DataPipe(producer, consumer)
        DataPipeProducerHandle  .capacity  .element_size  .write(data, *, all_or_none=False)
        .begin_write(min_bytes=0)  .end_write(nbytes)
        DataPipeConsumerHandle  .capacity  .element_size
        .read(max_bytes=-1, *, all_or_none=False, peek=False)
        .readinto(buffer, *, all_or_none=False, peek=False)
        .discard(nbytes, *, all_or_none=False)  .query()  .begin_read(min_bytes=0)
        .end_read(nbytes)
        WriteWindow  .nbytes  .as_array(dtype)  .commit(nbytes)
        .__enter__()  .__exit__(exc_type, exc, traceback)
        ReadWindow  .nbytes  .as_array(dtype)  .consume(nbytes)
        .__enter__()  .__exit__(exc_type, exc, traceback)
    """,
    "5 shared buffers": """
        create_shared_buffer(nbytes)
        SharedBufferHandle  .nbytes  .read_only  .duplicate(*, read_only=False)
        .map(offset=0, nbytes=None)  .as_array(dtype, shape=None, *, offset=0, order="C")
        SharedBufferMapping  .nbytes  .read_only  .unmap()
        .as_array(dtype, shape=None, *, offset=0, order="C")
        .__enter__()  .__exit__(exc_type, exc, traceback)
    """,
    "6 platform handles": """
        wrap_fd(fd)
        PlatformHandle  .unwrap()
        wrap_shared_memory(fd, nbytes, *, read_only=False, guid=None)
        SharedBufferHandle  .unwrap()
        PlatformSharedMemory(fd, nbytes, guid, read_only)
    """,
    "7 watchers": """
        Watcher(callback)  .watch(handle, signals, context)  .cancel(context)
        .arm(max_ready=16)  .close()
        ReadyWatch(context, result, state)
        NotificationFlags  .NONE  .FROM_SYSTEM
    """,
    "8 sequences": """
        SequencedTaskRunner  .post_task(fn, /, *args)  .post_delayed_task(delay, fn, /, *args)
        .post_task_and_reply(task, reply)  .submit(fn, /, *args, **kwargs)
        .runs_tasks_in_current_sequence()  .current()
        TaskHandle  .cancel()
        ThreadPool(max_workers=None, *, name="pool")
        .create_sequenced_task_runner(*, name=None, traits=TaskTraits())
        .create_single_thread_task_runner(*, name=None)
        .post_task(fn, /, *args)  .submit(fn, /, *args, **kwargs)
        .shutdown(timeout=None)  .statistics()
        .__enter__()  .__exit__(exc_type, exc, traceback)
        RunLoop()  .run()  .quit()  .run_until_idle()  .task_runner
        AsyncioTaskRunner(loop=None)
        TaskTraits(priority=TaskPriority.USER_VISIBLE, may_block=False,\
 shutdown=ShutdownBehavior.SKIP_ON_SHUTDOWN)
        ShutdownBehavior  .SKIP_ON_SHUTDOWN  .CONTINUE_ON_SHUTDOWN  .BLOCK_SHUTDOWN
        SequenceChecker()  .called_on_valid_sequence()  .detach()
        bind_post_task(runner, fn)
        OneShotTimer(*, task_runner=None)  RepeatingTimer(*, task_runner=None)
        .start(delay, callback, *args)  .stop()  .reset()  .is_running  .delay  .task_runner
        ShutdownError
    """,
    "9 watching on a sequence, and waiting": """
        SimpleWatcher(arming_policy=ArmingPolicy.AUTOMATIC, task_runner=None)
        .watch(handle, signals, callback)  .is_watching  .handle
        .arm()  .arm_or_notify()  .cancel()  .close()
        ArmingPolicy  .AUTOMATIC  .MANUAL
        wait(handle, signals, timeout=None)  wait_many(handles, timeout=None)
        InvalidArgumentError  .index
        WaitableEvent(*, manual_reset=True, signaled=False)
        .signal()  .reset()  .is_signaled()  .wait(timeout=None)
        WaitSet()  .add_handle(handle, signals)  .remove_handle(handle)
        .add_event(event)  .remove_event(event)  .wait(max_ready=16, timeout=None)
        WaitSetResult(event, ready)
        ReadyHandle(handle, result, state)
        aio  .wait(handle, signals)
        MessagePipeHandle  .receive()  .__aiter__  .__anext__
    """,
    "10 between processes": """
        spawn_process(target, *args, name=None, on_error=None)
        ChildProcess  .pid  .pipe  .exitcode  .wait(timeout=None)  .terminate()  .kill()
        .__enter__()  .__exit__(*exc_info)
        Invitation()  .attach_message_pipe(name)  .send(endpoint, *, on_error=None)  .close()
        .accept(endpoint, timeout=30.0)
        IncomingInvitation  .extract_message_pipe(name)  .close()
        .__enter__()  .__exit__(*exc_info)
        PlatformChannel()  .local_endpoint  .remote_endpoint
        .__enter__()  .__exit__(*exc_info)
        ChannelEndpoint  .fileno()  .close()  .pass_to(**popen_kwargs)  .from_environment()
        .__enter__()  .__exit__(*exc_info)
        NamedChannel  .listen(path)  .connect(path, timeout=None)
        NamedChannelServer  .accept(timeout=None)  .close()
        .__enter__()  .__exit__(*exc_info)
        BadMessageReport(reason, pid)
    """,
    "11 actors": """
        Actor()  .on_start()  .on_stop(reason)  .ref  .system  .task_runner  .supervisor
        .stop_timeout
        .spawn(actor_class, /, *args, name=None, on=None, mailbox=None, supervisor=None, **kwargs)
        .watch(handle, signals, method)  .call_later(delay, method, /, *args)
        .monitor(ref, method)  .unmonitor(ref)  .link(ref)
        .stash()  .unstash()  .set_idle_timeout(seconds, method=None)  .stop()
        ActorSystem(max_workers=None, *, name="actors", supervisor=None, stall_after=None)
        .spawn(actor_class, /, *args, name=None, on=None, mailbox=None, supervisor=None, **kwargs)
        .find(name)  .topic(name)  .on_dead_letter  .shutdown(timeout=None)  .shutdown_async()
        .__enter__()  .__exit__(exc_type, exc, traceback)
        .__aenter__()  .__aexit__(exc_type, exc, traceback)
        ActorRef  .name  .actor_class  .is_alive  .stop()  .kill()
        .ask(method, /, *args, **kwargs)  .tell(method, /, *args, **kwargs)
        .to_message()  .from_message(message)
        ActorMethod  .tell(*args, **kwargs)
        Reply  .result(timeout=None)  .exception(timeout=None)  .done()  .running()  .cancelled()
        .cancel()  .add_done_callback(fn)  .__await__
        Mailbox(capacity=1024, overflow="block")
        Supervisor(strategy="one_for_one", max_restarts=3, within=5.0, backoff=0.0)
        StopReason(kind, error=None)  Down(ref, reason)  DeadLetter(ref, method, args)
        interleaved(method)
        ActorDeadError  MailboxFullError  AskCycleError
    """,
    "11 actors: routers and topics": """
        RoundRobinRouter(refs)  .ask(method, /, *args, **kwargs)  .tell(method, /, *args, **kwargs)
        .routees  .add_routee(ref)  .remove_routee(ref)  .broadcast
        LeastBusyRouter(refs)
        HashRouter(refs, *, key=None)
        Topic  .name  .subscribers  .subscribe(ref, method)  .unsubscribe(ref, method=None)
        .publish(*args, **kwargs)
    """,
    "12 worker pools": """
        ProcessPool(max_workers=None, *, initializer=None, initargs=(), max_tasks_per_child=None,\
 environment=None)
        .submit(fn, /, *args, **kwargs)
        .map(fn, *iterables, timeout=None, chunksize=1, progress=None)
        .shutdown(wait=True, *, cancel_futures=False)  .__enter__()  .__exit__(*exc_info)
        .with_options(*, timeout=None, retries=0)  .task_group(*, grace=2.0)
        .imap(fn, /, *iterables, buffer=None, chunksize=1, progress=None)
        .imap_unordered(fn, /, *iterables, buffer=None, chunksize=1, progress=None)
        .stream(fn, /, *args, buffer=16, progress=None, **kwargs)
        ResultIterator  .next(timeout=None)  .close()  .aclose()  .__enter__()  .__exit__(*exc_info)
        .__aenter__()  .__aexit__(*exc_info)
        WorkerDiedError
        ThreadPool  .task_group(*, grace=2.0)
        TaskGroup  .submit(fn, /, *args, **kwargs)  .cancel()  .cancelled
        .__enter__()  .__exit__(exc_type, exc, traceback)
        .__aenter__()  .__aexit__(exc_type, exc, traceback)
        CancelScope(*, deadline=None, shield=False)  .cancel()  .deadline  .cancel_called
        .cancelled_caught
        move_on_after(seconds, *, shield=False)  fail_after(seconds, *, shield=False)
        current_task()  check_cancelled()
        CurrentTask  .cancelled  .deadline  .check_cancelled()  .report(done, total=None)
        .sleep(seconds)
        give(array)  shared_array(shape, dtype=float, *, zeroed=True, order="C")
        set_memory_budget(nbytes)  memory_statistics()
        ActorPool(actor_class, /, *args, size=None, system=None, on=None, supervisor=None, **kwargs)
        .submit(method, /, *args, **kwargs)  .map(method, *iterables, timeout=None)
        .task_group(*, grace=2.0)
    """,
    "13 testing kit": """
        TaskEnvironment(seed=None, *, schedule=None)  .seed  .schedule  .now()  .advance(seconds)
        .run_until_idle()  .run_until(predicate, timeout=None, *, about=None)  .task_errors
        .__enter__()  .__exit__(exc_type, exc, traceback)
        explore(test, seeds=range(100))
        Probe(system, actor_class=None, *, name=None)  .ref  .messages
        .expect(method=None, timeout=3.0)  .expect_nothing(seconds=0.0)
        ProbeMessage  .answer(result)  .fail(error)
        DeadlockError  NestingError
    """,
}
# Its names are in mojo_seq.testing, all others in mojo_seq.
TESTING = "13 testing kit"

# Beyond the contract: what its functions take and hand out, under a name.
ADDED = {
    "ActorTimer",
    "ActorWatch",
    "BrokenPoolError",
    "MemoryStatistics",
    "PoolOptions",
    "Router",
    "StallReport",
    "TaskError",
    "TaskFuture",
    "TaskPriority",
    "ThreadPoolStatistics",
}


HOMES = (system, sequence, watch, process, actor, pool)


def names_of(section: str) -> Iterator[tuple[str, str | None]]:
    """Dotted names, with parameters, or None for what has none."""
    owner = ""
    for entry in re.split(r"\n|  +", CONTRACT[section]):
        name, called, parameters = entry.strip().removesuffix(")").partition("(")
        if name:
            owner = owner if name.startswith(".") else name
            yield owner + name if name.startswith(".") else name, parameters if called else None


NAMES = [name for section in CONTRACT if section != TESTING for name, _ in names_of(section)]
CALLED = [
    (section, name, parameters)
    for section in CONTRACT
    for name, parameters in names_of(section)
    if parameters is not None
]


def resolve(section: str, name: str) -> Any:
    home = mojo_seq.testing if section == TESTING else mojo_seq
    return reduce(getattr, name.split("."), home)


def signature(parameters: str) -> inspect.Signature:
    """The signature of `lambda PARAMETERS: None`; names in it are those of mojo_seq."""
    function: Callable[..., None] = eval(f"lambda {parameters}: None", vars(mojo_seq))
    return inspect.signature(function)


def bare(found: inspect.Signature) -> inspect.Signature:
    """Without types, and without what a method is called on."""
    kept = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in found.parameters.items()
        if name not in ("self", "cls")
    ]
    return inspect.Signature(kept)


def stub_classes() -> dict[str, ast.ClassDef | ast.FunctionDef]:
    stub = ast.parse(Path(_core.__file__).with_name("_core.pyi").read_text())
    return {
        node.name: node for node in stub.body if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }


STUB = stub_classes()


def constructor_in_stub(name: str) -> inspect.Signature:
    """What Python cannot say of a class of the core: how it is called. stubtest checks the rest."""
    for node in STUB[name].body:
        if isinstance(node, ast.FunctionDef) and node.name in ("__init__", "__new__"):
            for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
                argument.annotation = None
            return bare(signature(ast.unparse(node.args)))
    raise AssertionError(f"{name} has no constructor in the stub")


@pytest.mark.parametrize("section", CONTRACT)
def test_every_name_of_the_contract_exists(section: str) -> None:
    for name, parameters in names_of(section):
        found = resolve(section, name)
        assert parameters is None or callable(found), name


def test_all_is_the_contract_and_what_was_added_to_it() -> None:
    assert set(mojo_seq.__all__) == {name.partition(".")[0] for name in NAMES} | ADDED


def test_all_is_sorted_and_has_nothing_twice() -> None:
    for module in (mojo_seq, *HOMES, mojo_seq.aio, mojo_seq.testing):
        assert module.__all__ == sorted(set(module.__all__)), module.__name__
        assert all(hasattr(module, name) for name in module.__all__), module.__name__


def test_the_package_shows_nothing_but_all() -> None:
    for name in mojo_seq.__all__:
        assert getattr(mojo_seq, name) is not None  # some are imported when first asked for
    visible = {
        name
        for name, value in vars(mojo_seq).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    visible.discard("TYPE_CHECKING")  # for type checkers only
    assert visible == set(mojo_seq.__all__) - {"aio"}


def test_every_name_has_one_home_below_the_package() -> None:
    names = [name for home in HOMES for name in home.__all__]
    assert sorted([*names, "aio"]) == mojo_seq.__all__
    for home in HOMES:
        assert all(getattr(home, name) is getattr(mojo_seq, name) for name in home.__all__)


@pytest.mark.parametrize(("section", "name", "parameters"), CALLED)
def test_signature(section: str, name: str, parameters: str) -> None:
    subject = resolve(section, name)
    if isinstance(subject, type) and subject.__module__ == "mojo_seq._core":
        assert constructor_in_stub(name) == signature(parameters)
    else:
        assert bare(inspect.signature(subject)) == signature(parameters)


def test_the_stub_names_what_the_core_has() -> None:
    core = {
        name
        for name, value in vars(_core).items()
        if not name.startswith("_") and str(getattr(value, "__module__", "")).startswith("mojo_seq")
    }
    assert {name for name in STUB if not name.startswith("_")} == core


def documented(name: str, value: object) -> Iterator[tuple[str, object]]:
    """`value`, and its methods and properties if it is a class."""
    yield name, value
    for cls in value.__mro__ if isinstance(value, type) else ():
        if cls.__module__.startswith("mojo_seq"):
            fields = {*getattr(cls, "_fields", ()), *getattr(cls, "__dataclass_fields__", ())}
            for member, found in vars(cls).items():
                public = not member.startswith("_") and member not in fields
                described = callable(found) or inspect.isdatadescriptor(found)
                if public and described and not inspect.ismemberdescriptor(found):
                    yield f"{name}.{member}", found


@pytest.mark.parametrize("name", [*mojo_seq.__all__, *mojo_seq.testing.__all__])
def test_every_public_name_has_a_docstring(name: str) -> None:
    home = mojo_seq if name in mojo_seq.__all__ else mojo_seq.testing
    for each, value in documented(name, getattr(home, name)):
        text = inspect.getdoc(value) or ""
        # Cython puts the signature first; the NamedTuple machinery has nothing else.
        said = re.sub(r"\A[\w.]+\([^\n]*\)\s*", "", text)
        assert said[:1].isupper() and len(said.split()) >= 3, f"{each}: {text!r}"
