# Result codes and the exceptions that stand for them: the one place where the engine's results
# become Python errors.


class Result(enum.IntEnum):
    """The result codes of the Mojo system layer (Mojo C System API, "Result Codes")."""

    __module__ = "mojo_seq"

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    BUSY = 16
    SHOULD_WAIT = 17


class MojoError(Exception):
    """Base of every error that stands for a result code. `result` is that code."""

    __module__ = "mojo_seq"
    result = Result.UNKNOWN


class CancelledError(MojoError):
    """CANCELLED: the handle, the watch or the watcher went away."""

    __module__ = "mojo_seq"
    result = Result.CANCELLED


class UnknownError(MojoError):
    """UNKNOWN: a failure without a better code."""

    __module__ = "mojo_seq"
    result = Result.UNKNOWN


class InvalidArgumentError(MojoError, ValueError):
    """INVALID_ARGUMENT: wrong whatever the state of the system, such as a closed handle.

    `index` is the place in a list of what is to blame, where there is one, else None.
    """

    __module__ = "mojo_seq"
    index = None
    result = Result.INVALID_ARGUMENT


class DeadlineExceededError(MojoError, TimeoutError):
    """DEADLINE_EXCEEDED: the time was up first."""

    __module__ = "mojo_seq"
    result = Result.DEADLINE_EXCEEDED


class NotFoundError(MojoError, LookupError):
    """NOT_FOUND: there is no such thing here."""

    __module__ = "mojo_seq"
    result = Result.NOT_FOUND


class AlreadyExistsError(MojoError):
    """ALREADY_EXISTS: the name, handle or context is in use."""

    __module__ = "mojo_seq"
    result = Result.ALREADY_EXISTS


class PermissionDeniedError(MojoError, PermissionError):
    """PERMISSION_DENIED: the system does not allow it."""

    __module__ = "mojo_seq"
    result = Result.PERMISSION_DENIED


class ResourceExhaustedError(MojoError):
    """RESOURCE_EXHAUSTED: a limit, the memory or the descriptors are used up."""

    __module__ = "mojo_seq"
    result = Result.RESOURCE_EXHAUSTED


class FailedPreconditionError(MojoError):
    """FAILED_PRECONDITION: not in this state, now or ever again."""

    __module__ = "mojo_seq"
    result = Result.FAILED_PRECONDITION


class PeerClosedError(FailedPreconditionError, BrokenPipeError):
    """FAILED_PRECONDITION because the other end is gone (and nothing is left to read)."""

    __module__ = "mojo_seq"


class ActorDeadError(MojoError):
    """UNAVAILABLE: the actor has ended, or its process has, so that nobody will answer."""

    __module__ = "mojo_seq"
    result = Result.UNAVAILABLE


class MailboxFullError(ResourceExhaustedError):
    """RESOURCE_EXHAUSTED: there is no room in the actor's mailbox."""

    __module__ = "mojo_seq"


class AskCycleError(FailedPreconditionError):
    """FAILED_PRECONDITION: actors would wait for one another for ever.

    `chain` is a tuple of their refs, each waiting for the next.
    """

    __module__ = "mojo_seq"

    def __init__(self, message, chain=()):
        super().__init__(message)
        self.chain = tuple(chain)

    def __reduce__(self):
        return type(self), (str(self), self.chain)


class AbortedError(MojoError):
    """ABORTED: a failure in the middle that cannot be repaired."""

    __module__ = "mojo_seq"
    result = Result.ABORTED


class OutOfRangeError(MojoError):
    """OUT_OF_RANGE: the amount does not fit now."""

    __module__ = "mojo_seq"
    result = Result.OUT_OF_RANGE


class UnimplementedError(MojoError, NotImplementedError):
    """UNIMPLEMENTED: an option that is not known here."""

    __module__ = "mojo_seq"
    result = Result.UNIMPLEMENTED


class InternalError(MojoError):
    """INTERNAL: the system behaved as it never should."""

    __module__ = "mojo_seq"
    result = Result.INTERNAL


class UnavailableError(MojoError):
    """UNAVAILABLE: not to be had at the moment."""

    __module__ = "mojo_seq"
    result = Result.UNAVAILABLE


class DataLossError(MojoError):
    """DATA_LOSS: something is lost for good."""

    __module__ = "mojo_seq"
    result = Result.DATA_LOSS


class BusyError(MojoError):
    """BUSY: a two-phase operation or a transfer has hold of it."""

    __module__ = "mojo_seq"
    result = Result.BUSY


class ShouldWaitError(MojoError, BlockingIOError):
    """SHOULD_WAIT: nothing now; try again after a signal."""

    __module__ = "mojo_seq"
    result = Result.SHOULD_WAIT


class ShutdownError(FailedPreconditionError, RuntimeError):
    """FAILED_PRECONDITION because the pool or system that should run it was shut down."""

    __module__ = "mojo_seq"


cdef tuple RESULTS = tuple(Result)
cdef tuple ERRORS = (
    MojoError, CancelledError, UnknownError, InvalidArgumentError, DeadlineExceededError,
    NotFoundError, AlreadyExistsError, PermissionDeniedError, ResourceExhaustedError,
    FailedPreconditionError, AbortedError, OutOfRangeError, UnimplementedError, InternalError,
    UnavailableError, DataLossError, BusyError, ShouldWaitError,
)


cdef inline object to_result(c_Result result):
    return RESULTS[<int>result]


cdef int fail(c_Result result, str text) except -1:
    """Raises the error for `result`. FAILED_PRECONDITION has two meanings: see fail_peer."""
    after_call()  # also a call that fails may have found news
    raise ERRORS[<int>result](text)


cdef int fail_peer(c_Result result, str text) except -1:
    """The same for calls where FAILED_PRECONDITION says that the peer is closed."""
    after_call()
    if result == c_Result.kFailedPrecondition:
        raise PeerClosedError(text)
    raise ERRORS[<int>result](text)
