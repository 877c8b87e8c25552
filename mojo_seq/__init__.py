"""The Mojo System API for Python, in one process and between many, and task sequences on it.

Layers, each of which imports only from those below it (a test enforces this):

    integrations   a backend for joblib
    cli, testing   python -m mojo_seq; TaskEnvironment, explore, a plugin for pytest
    actor, pool    actors, worker processes
    process        spawn_process, invitations, channels, handles for multiprocessing
    aio            awaiting handles on asyncio, trio and anyio
    watch          SimpleWatcher, wait, wait_many, WaitSet
    sequence       task runners: thread pool, run loop, event loops
    system         handles, pipes, buffers, watchers, results and errors
    _core          the extension module: Cython classes over a C++ engine

Importing this package imports neither numpy nor asyncio; actors and pools are imported when they
are first used.
"""

from mojo_seq import aio
from mojo_seq.process import (
    BadMessageReport,
    ChannelEndpoint,
    ChildProcess,
    IncomingInvitation,
    Invitation,
    NamedChannel,
    NamedChannelServer,
    PlatformChannel,
    spawn_process,
)
from mojo_seq.sequence import (
    AsyncioTaskRunner,
    OneShotTimer,
    RepeatingTimer,
    RunLoop,
    SequenceChecker,
    SequencedTaskRunner,
    ShutdownBehavior,
    TaskError,
    TaskHandle,
    TaskPriority,
    TaskTraits,
    ThreadPool,
    ThreadPoolStatistics,
    bind_post_task,
)
from mojo_seq.system import (
    AbortedError,
    AlreadyExistsError,
    BusyError,
    CancelledError,
    DataLossError,
    DataPipe,
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    DeadlineExceededError,
    FailedPreconditionError,
    Handle,
    InternalError,
    InvalidArgumentError,
    Message,
    MessagePipe,
    MessagePipeHandle,
    MojoError,
    NotFoundError,
    NotificationFlags,
    OutOfRangeError,
    PeerClosedError,
    PermissionDeniedError,
    PlatformHandle,
    PlatformSharedMemory,
    ReadWindow,
    ReadyWatch,
    ResourceExhaustedError,
    Result,
    SharedBufferHandle,
    SharedBufferMapping,
    ShouldWaitError,
    ShutdownError,
    Signals,
    SignalsState,
    UnavailableError,
    UnimplementedError,
    UnknownError,
    Watcher,
    WriteWindow,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    fuse_message_pipes,
    wrap_fd,
    wrap_shared_memory,
)
from mojo_seq.system.lazy_names import lazy_names as _lazy_names
from mojo_seq.watch import (
    ArmingPolicy,
    ReadyHandle,
    SimpleWatcher,
    WaitableEvent,
    WaitSet,
    WaitSetResult,
    wait,
    wait_many,
)

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.actor import (
        Actor,
        ActorDeadError,
        ActorMethod,
        ActorPool,
        ActorRef,
        ActorSystem,
        ActorTimer,
        ActorWatch,
        AskCycleError,
        DeadLetter,
        Down,
        HashRouter,
        LeastBusyRouter,
        Mailbox,
        MailboxFullError,
        Reply,
        RoundRobinRouter,
        Router,
        StallReport,
        StopReason,
        Supervisor,
        Topic,
        interleaved,
    )
    from mojo_seq.pool import (
        BrokenPoolError,
        PoolOptions,
        ProcessPool,
        ResultIterator,
        WorkerDiedError,
    )
    from mojo_seq.sequence import (
        CancelScope,
        CurrentTask,
        TaskFuture,
        TaskGroup,
        check_cancelled,
        current_task,
        fail_after,
        move_on_after,
    )

__version__ = "0.1.0"

_LAZY = {
    "mojo_seq.actor": (
        "Actor ActorDeadError ActorMethod ActorPool ActorRef ActorSystem ActorTimer ActorWatch "
        "AskCycleError DeadLetter Down HashRouter LeastBusyRouter Mailbox MailboxFullError Reply "
        "RoundRobinRouter Router StallReport StopReason Supervisor Topic interleaved"
    ),
    "mojo_seq.pool": "BrokenPoolError PoolOptions ProcessPool ResultIterator WorkerDiedError",
    "mojo_seq.sequence": (
        "CancelScope CurrentTask TaskFuture TaskGroup check_cancelled current_task fail_after "
        "move_on_after"
    ),
}
# Actors and pools are imported when they are first asked for.
__getattr__, __dir__ = _lazy_names(
    globals(), {name: module for module, names in _LAZY.items() for name in names.split()}
)

__all__ = [
    "AbortedError",
    "Actor",
    "ActorDeadError",
    "ActorMethod",
    "ActorPool",
    "ActorRef",
    "ActorSystem",
    "ActorTimer",
    "ActorWatch",
    "AlreadyExistsError",
    "ArmingPolicy",
    "AskCycleError",
    "AsyncioTaskRunner",
    "BadMessageReport",
    "BrokenPoolError",
    "BusyError",
    "CancelScope",
    "CancelledError",
    "ChannelEndpoint",
    "ChildProcess",
    "CurrentTask",
    "DataLossError",
    "DataPipe",
    "DataPipeConsumerHandle",
    "DataPipeProducerHandle",
    "DeadLetter",
    "DeadlineExceededError",
    "Down",
    "FailedPreconditionError",
    "Handle",
    "HashRouter",
    "IncomingInvitation",
    "InternalError",
    "InvalidArgumentError",
    "Invitation",
    "LeastBusyRouter",
    "Mailbox",
    "MailboxFullError",
    "Message",
    "MessagePipe",
    "MessagePipeHandle",
    "MojoError",
    "NamedChannel",
    "NamedChannelServer",
    "NotFoundError",
    "NotificationFlags",
    "OneShotTimer",
    "OutOfRangeError",
    "PeerClosedError",
    "PermissionDeniedError",
    "PlatformChannel",
    "PlatformHandle",
    "PlatformSharedMemory",
    "PoolOptions",
    "ProcessPool",
    "ReadWindow",
    "ReadyHandle",
    "ReadyWatch",
    "RepeatingTimer",
    "Reply",
    "ResourceExhaustedError",
    "Result",
    "ResultIterator",
    "RoundRobinRouter",
    "Router",
    "RunLoop",
    "SequenceChecker",
    "SequencedTaskRunner",
    "SharedBufferHandle",
    "SharedBufferMapping",
    "ShouldWaitError",
    "ShutdownBehavior",
    "ShutdownError",
    "Signals",
    "SignalsState",
    "SimpleWatcher",
    "StallReport",
    "StopReason",
    "Supervisor",
    "TaskError",
    "TaskFuture",
    "TaskGroup",
    "TaskHandle",
    "TaskPriority",
    "TaskTraits",
    "ThreadPool",
    "ThreadPoolStatistics",
    "Topic",
    "UnavailableError",
    "UnimplementedError",
    "UnknownError",
    "WaitSet",
    "WaitSetResult",
    "WaitableEvent",
    "Watcher",
    "WorkerDiedError",
    "WriteWindow",
    "aio",
    "bind_post_task",
    "check_cancelled",
    "create_data_pipe",
    "create_message_pipe",
    "create_shared_buffer",
    "current_task",
    "fail_after",
    "fuse_message_pipes",
    "interleaved",
    "move_on_after",
    "spawn_process",
    "wait",
    "wait_many",
    "wrap_fd",
    "wrap_shared_memory",
]
