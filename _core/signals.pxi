# Signals and the state of a handle.


class Signals(enum.IntFlag):
    """What can be true of a message pipe or data pipe handle (Mojo C System API, "Signals")."""

    __module__ = "mojo_seq"

    NONE = 0
    READABLE = 1
    WRITABLE = 2
    PEER_CLOSED = 4
    NEW_DATA_READABLE = 8
    PEER_REMOTE = 16


# Making a flag from an int takes a microsecond; there are few enough to keep.
cdef tuple SIGNALS = tuple(Signals(i) for i in range(32))


@cython.final
@cython.freelist(64)
cdef class SignalsState:
    """A handle's signals: `satisfied` now, and `satisfiable` now or later.

    Satisfied signals are always satisfiable, and a signal that stopped being satisfiable never
    becomes so again. Equal by value; immutable; any thread.
    """

    cdef c_Signals _satisfied
    cdef c_Signals _satisfiable

    def __init__(self, satisfied=0, satisfiable=0):
        self._satisfied = to_signals(satisfied)
        self._satisfiable = to_signals(satisfiable)

    @property
    def satisfied(self):
        """The signals that are satisfied now."""
        return SIGNALS[self._satisfied]

    @property
    def satisfiable(self):
        """The signals that are satisfied or can still become so."""
        return SIGNALS[self._satisfiable]

    @property
    def readable(self):
        """READABLE is satisfied."""
        return (self._satisfied & 1) != 0

    @property
    def writable(self):
        """WRITABLE is satisfied."""
        return (self._satisfied & 2) != 0

    @property
    def peer_closed(self):
        """PEER_CLOSED is satisfied."""
        return (self._satisfied & 4) != 0

    @property
    def new_data_readable(self):
        """NEW_DATA_READABLE is satisfied."""
        return (self._satisfied & 8) != 0

    @property
    def peer_remote(self):
        """PEER_REMOTE is satisfied."""
        return (self._satisfied & 16) != 0

    @property
    def never_readable(self):
        """READABLE can never be satisfied again."""
        return (self._satisfiable & 1) == 0

    @property
    def never_writable(self):
        """WRITABLE can never be satisfied again."""
        return (self._satisfiable & 2) == 0

    @property
    def never_peer_closed(self):
        """PEER_CLOSED can never be satisfied."""
        return (self._satisfiable & 4) == 0

    def satisfies(self, signals):
        """True if any of `signals` is satisfied."""
        return (self._satisfied & to_signals(signals)) != 0

    def can_satisfy(self, signals):
        """True if any of `signals` is satisfied or can still become so."""
        return (self._satisfiable & to_signals(signals)) != 0

    def __eq__(self, other):
        if not isinstance(other, SignalsState):
            return NotImplemented
        cdef SignalsState that = other
        return self._satisfied == that._satisfied and self._satisfiable == that._satisfiable

    def __hash__(self):
        return hash((self._satisfied, self._satisfiable))

    def __reduce__(self):
        return SignalsState, (int(self._satisfied), int(self._satisfiable))

    def __repr__(self):
        return f"SignalsState(satisfied={self.satisfied!r}, satisfiable={self.satisfiable!r})"


cdef SignalsState to_state(c_SignalsState state):
    cdef SignalsState made = SignalsState.__new__(SignalsState)
    made._satisfied = state.satisfied
    made._satisfiable = state.satisfiable
    return made


cdef c_Signals to_signals(object signals) except? 0xFFFFFFFF:
    cdef long value
    cdef int overflow = 0
    if not isinstance(signals, int):
        raise TypeError(f"signals must be Signals or an int, not {type(signals).__name__}")
    value = PyLong_AsLongAndOverflow(signals, &overflow)
    if overflow != 0 or value < 0 or value > 31:
        raise InvalidArgumentError(f"signals must be a combination of Signals, not {signals!r}")
    return <c_Signals>value


class NotificationFlags(enum.IntFlag):
    """How a watcher's notification came about (Mojo C System API, "Watching Signals")."""

    __module__ = "mojo_seq"

    NONE = 0
    FROM_SYSTEM = 1


cdef tuple NOTIFICATION_FLAGS = (NotificationFlags.NONE, NotificationFlags.FROM_SYSTEM)

ReadyWatch = namedtuple("ReadyWatch", "context result state", module="mojo_seq")
ReadyWatch.__doc__ = "A watch that keeps its watcher from being armed, as a notification would say it."
