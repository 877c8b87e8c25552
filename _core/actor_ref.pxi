# References to actors: what their users hold.


from cpython.object cimport PyObject_GenericGetAttr


cdef class ActorRefBase:
    """The core of an ActorRef: attributes that are methods of the actor's class."""

    cdef readonly object _target        # a Mailbox, or what stands for one elsewhere; constant
    cdef readonly frozenset _methods    # names; constant
    cdef object __weakref__

    def __cinit__(self, target, methods, *args):
        self._target = target
        self._methods = methods

    def __getattribute__(self, name):
        # Methods first: that an attribute is missing otherwise takes long to find out.
        cdef ActorMethod method
        if name in self._methods and name not in own_names:
            method = ActorMethod.__new__(ActorMethod)
            method._target = self._target
            method._name = name
            return method
        return PyObject_GenericGetAttr(self, name)

    def __getattr__(self, name):
        raise AttributeError(self._describe_missing(name))

    def _describe_missing(self, name):
        return f"there is no method {name!r}"

    def __hash__(self):
        return hash(self._target.identity)

    def __eq__(self, other):
        if not isinstance(other, ActorRefBase):
            return NotImplemented
        return (self._target is (<ActorRefBase>other)._target
                or self._target.identity == (<ActorRefBase>other)._target.identity)


@cython.final
@cython.freelist(64)
cdef class ActorMethod:
    """A method of an actor. Calling it asks: it returns a Reply. `tell` expects no answer."""

    cdef object _target  # constant
    cdef str _name       # constant

    def __init__(self, *args):
        raise TypeError("an ActorMethod is an attribute of an ActorRef")

    def __call__(self, *args, **kwargs):
        return ask(self._target, self._name, args, kwargs)

    def tell(self, *args, **kwargs):
        """Sends it and expects no answer. Any thread.

        To an actor that is dead it is a dead letter.

        Raises:
            MailboxFullError: there is no room, and this thread must not or need not wait for it.
        """
        tell(self._target, self._name, args, kwargs)

    @property
    def __name__(self):
        return self._name

    def __repr__(self):
        return f"<ActorMethod {self._name!r} of {self._target!r}>"


def ask(target, str name not None, tuple args not None, kwargs):
    """Sends a message and returns the Reply to it. Its errors are in there."""
    cdef ReplyBase reply = new_reply(target)
    if isinstance(target, Mailbox):
        (<Mailbox>target)._put(new_envelope(name, args, kwargs or None, reply))
    else:
        target.send(name, args, kwargs or None, reply)
    return reply


def tell(target, str name not None, tuple args not None, kwargs):
    """Sends a message that needs no answer."""
    if isinstance(target, Mailbox):
        (<Mailbox>target)._put(new_envelope(name, args, kwargs or None, None))
    else:
        target.send(name, args, kwargs or None, None)


def offer(target, str name not None, tuple args not None, kwargs):
    """A tell that waits for no room, whatever thread this is.

    Returns:
        bool: False if there was none.
    """
    cdef cbool outer = SetMustNotWait(True)
    try:
        tell(target, name, args, kwargs)
    except MailboxFullError:
        return False
    finally:
        SetMustNotWait(outer)
    return True
