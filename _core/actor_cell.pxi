# The core of an actor's cell: what it knows of the actor, and the making of its object. Actors are
# made by the hundred thousand, and each object that the garbage collector has to look at costs it
# time again and again.


cdef object base_on_start = None  # Actor.on_start, which does nothing


def set_base_on_start(on_start):
    """Given by the actor layer."""
    global base_on_start
    base_on_start = on_start


cdef class ActorCell(Mailbox):
    """The base of LocalCell, which says who owns its fields. They begin as None without being set."""

    cdef readonly object system, guardian, name  # constant, like the next
    cdef readonly object number, actor_class
    cdef tuple _args                             # None once they are of no more use, like the next
    cdef dict _kwargs                            # or because there are none
    cdef public object parent, children, supervisor, record, upward
    cdef public object ending, failure, end_reason, observers, monitors
    cdef public object _sources, _call_when_idle
    cdef public bint _finishing
    cdef bint _may_restart                       # constant

    def __init__(self, system, parent, number, actor_class, tuple args not None,
                 dict kwargs, runner, name, mailbox, supervisor, upward=None):
        cdef object guardian = system.guardian
        _MailboxQueue.__init__(self, runner, mailbox.capacity, mailbox.overflow_number)
        self.system = system
        self.guardian = guardian
        self.parent = parent
        self.number = number
        self.actor_class = actor_class
        self._args = args
        self._kwargs = kwargs or None
        self.name = name
        self.supervisor = actor_class.supervisor if supervisor is None else supervisor
        self.upward = upward
        if upward is not None:
            self._may_restart = True
        else:
            self._may_restart = (guardian if parent is None else parent).supervisor is not None

    def _on_start(self):
        self.started = True
        self.run_guarded(self._construct)

    def _construct(self):
        """On the sequence: makes the object. Returns what `on_start` does."""
        cdef object actor_class = self.actor_class
        cdef tuple args = self._args
        cdef dict kwargs = self._kwargs
        cdef object instance
        if actor_class.__new__ is object.__new__:
            instance = actor_class.__new__(actor_class)
        elif kwargs is None:
            instance = actor_class.__new__(actor_class, *args)
        else:
            instance = actor_class.__new__(actor_class, *args, **kwargs)
        instance._cell = self  # the constructor may use what an actor has
        if kwargs is None:
            instance.__init__(*args)
        else:
            instance.__init__(*args, **kwargs)
        self.instance = instance
        if not self._may_restart:
            self._args = None
            self._kwargs = None
        if actor_class.on_start is not base_on_start:
            return instance.on_start()
        return None
