# Messages on their way to an actor: what they carry, and who sends them.

from cpython.contextvars cimport PyContext_New
from cpython.list cimport PyList_GET_SIZE

cdef extern from "current_mailbox.h" namespace "mojo_seq":
    PyObject* GetCurrentMailbox()
    PyObject* SetCurrentMailbox(PyObject* mailbox)
    int steps_on_stack
    cbool MustNotWait()
    cbool SetMustNotWait(cbool value)

cdef extern from "current_context.h" namespace "mojo_seq":
    PyObject* CopyContextUnlessEmpty() except? NULL

cdef enum Overflow:
    BLOCK
    FAIL
    DROP_OLDEST
    DROP_NEWEST

# How many messages a turn handles before other sequences get theirs.
cdef enum: MESSAGES_PER_TURN = 64

cdef object CoroutineType = None
cdef object new_reply = None  # the class Reply


cdef frozenset own_names = frozenset()  # attributes of an ActorRef itself
cdef list spare_contexts = []  # empty ones, for messages from senders without context variables


def set_mailbox_classes(coroutine_type, reply_class, ref_class):
    """Given by the actor layer."""
    global CoroutineType, new_reply, own_names
    CoroutineType = coroutine_type
    new_reply = reply_class
    own_names = frozenset(dir(ref_class))


cdef inline Mailbox current_mailbox():
    cdef PyObject* mailbox = GetCurrentMailbox()
    return None if mailbox is NULL else <Mailbox>mailbox


def current_cell():
    """The cell of the actor whose method or callback this thread is running, or None."""
    return find_current_mailbox()


cdef Mailbox find_current_mailbox():
    cdef Mailbox mailbox = current_mailbox()
    if mailbox is None and awaiting_mailbox is not None and running_loop is not None:
        mailbox = awaiting_mailbox.get(None)
        if mailbox is not None:
            loop = running_loop()
            if loop is None or mailbox.loop is not loop:
                return None
    return mailbox


cdef Mailbox mailbox_of_context(object loop):
    """In an asyncio task that an async method has started: of its actor. Context variables also
    travel to other threads and sequences, where they say nothing."""
    if loop is None or awaiting_mailbox is None:  # no async method has run yet
        return None
    cdef Mailbox mailbox = awaiting_mailbox.get(None)
    if mailbox is None or mailbox.loop is not loop:
        return None
    return mailbox


@cython.final
@cython.freelist(256)
cdef class Envelope:
    """A message in a mailbox. Owned by the mailbox, and while it is handled by its sequence."""

    cdef readonly object method    # a name, or something to call
    cdef readonly tuple args
    cdef readonly dict kwargs      # or None
    cdef readonly ReplyBase reply  # None: a tell
    cdef readonly object context   # the sender's context variables; None: it had none
    cdef readonly object chain     # the asks in whose service it is: (ReplyBase, chain) or tokens
    cdef bint stashed              # since it was last handled


cdef Envelope new_envelope(object method, tuple args, dict kwargs, ReplyBase reply):
    cdef Envelope envelope = Envelope.__new__(Envelope)
    cdef Mailbox sender
    envelope.method = method
    envelope.args = args
    envelope.kwargs = kwargs
    envelope.reply = reply
    take_context(envelope)
    if reply is not None:
        sender = current_mailbox()
        if sender is not None and sender._current is not None:
            envelope.chain = chain_of(sender._current)
    return envelope


cdef int take_context(Envelope envelope) except -1:
    cdef PyObject* context = CopyContextUnlessEmpty()
    if context is not NULL:
        envelope.context = <object>context
        Py_DECREF(<object>context)
    return 0


def make_envelope(method, tuple args not None, dict kwargs, ReplyBase reply):
    """For messages that wait elsewhere: an Envelope as it would be put in a mailbox here."""
    return new_envelope(method, args, kwargs, reply)


cdef object chain_of(Envelope served):
    if served.reply is None:
        return served.chain
    return (served.reply, served.chain)


cdef object mailbox_full(object target):
    return MailboxFullError(f"the mailbox of {target!r} is full")


cdef bint on_sequence_or_loop() except -1:
    """Whether this thread must not wait for room: others' tasks would wait behind it."""
    if MustNotWait() or GetCurrentRunner() is not NULL or GetCurrentMailbox() is not NULL:
        return True
    # Another thread may just be importing them.
    find_loop = getattr(_sys_modules.get("asyncio.events"), "_get_running_loop", None)
    if find_loop is not None and find_loop() is not None:
        return True
    in_trio_run = getattr(getattr(_sys_modules.get("trio"), "lowlevel", None), "in_trio_run", None)
    return in_trio_run is not None and in_trio_run()


def may_wait_here():
    """Whether this thread may block for room in a mailbox: it runs no sequence and no event loop."""
    return not on_sequence_or_loop()


cdef int send_when_there_is_room(ReplyBase reply) except -1:
    """An ask that found the mailbox full is awaited."""
    cdef Envelope envelope = reply._unsent
    reply._unsent = None
    reply._reply_state = PENDING
    if isinstance(reply._target, Mailbox):
        (<Mailbox>reply._target)._park(envelope)
    else:
        reply._target.park(envelope)
    return 0
