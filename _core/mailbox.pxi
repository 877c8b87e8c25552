# Mailboxes: what an actor has still to do, and its turns on its sequence.
#
# A mailbox with something to do has one task in its sequence, in which it handles a few messages.
# It is the base of the actor layer's cells; what happens seldom is theirs, in Python.

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
    cdef Mailbox mailbox = current_mailbox()
    if mailbox is None and running_loop is not None:
        mailbox = mailbox_of_context(running_loop())
    return mailbox


cdef Mailbox mailbox_of_context(object loop):
    """In an asyncio task that an async method has started: of its actor. Context variables also
    travel to other threads and sequences, where they say nothing."""
    cdef Mailbox mailbox = awaiting_mailbox.get(None)
    if mailbox is None or loop is None or mailbox.loop is not loop:
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
    cdef bint stashed


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
    find_loop = getattr(sys_modules.get("asyncio.events"), "_get_running_loop", None)
    if find_loop is not None and find_loop() is not None:
        return True
    in_trio_run = getattr(getattr(sys_modules.get("trio"), "lowlevel", None), "in_trio_run", None)
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


cdef class Mailbox:
    """The core of an actor's cell. All fields are owned by the GIL; "sequence" marks those that
    only tasks of its sequence change."""

    cdef readonly object runner         # constant
    cdef TaskSequence _sequence         # the same, if it is one of the core's; constant
    cdef public object instance         # the Actor; sequence
    cdef list _queue                    # None as long as nothing has come
    cdef Py_ssize_t _head               # of _queue: what is before it has been taken
    cdef list _urgent                   # callbacks: handled before messages
    cdef list _commands                 # (function, args): run even between the steps of a method
    cdef list _resumed                  # (task, error): async methods that can go on
    cdef set _tasks                     # async methods under way; sequence
    cdef public object loop             # of their steps; sequence
    cdef public bint tells_tasks        # sequence
    cdef list _parked                   # awaited asks that wait for room
    cdef ActorTask _stepping            # sequence: whose step is on the stack
    cdef list _stash                    # sequence
    cdef list _waits                    # replies that an async method waits for
    cdef vector[Ref[c_Event]] _senders  # threads that wait for room
    cdef Py_ssize_t _capacity           # constant
    cdef Overflow _overflow             # constant
    cdef bint _scheduled                # it has a task in its sequence
    cdef readonly bint closed           # refuses everything
    cdef public bint started            # sequence
    cdef public bint suspended          # handles commands only
    cdef public bint busy               # an async method is under way that others must wait for
    cdef public bint stopping           # refuses new messages
    cdef Envelope _current              # sequence
    cdef public object on_taken         # called when a message has left the queue, or None
    cdef public bint timed              # note when messages begin
    cdef readonly int64_t began         # monotonic ns; 0: nothing is being handled; sequence
    cdef readonly uint64_t thread       # where; sequence
    cdef readonly uint64_t handled      # messages so far; sequence
    # Of the layer above, which says who owns them. Here, so that they are None without being set:
    # actors are made by the hundred thousand.
    cdef public object parent, children, supervisor, record, upward
    cdef public object ending, failure, end_reason, observers, monitors
    cdef object __weakref__

    def __init__(self, runner, capacity, overflow):
        self.runner = runner
        if isinstance(runner, TaskSequence):
            self._sequence = runner
        self._capacity = capacity
        self._overflow = overflow

    # What subclasses do.

    def _on_start(self):
        """On the sequence, in the first turn."""
        raise NotImplementedError

    def _new_loop(self):
        """On the sequence: the event loop for its async methods."""
        raise NotImplementedError

    def _is_interleaved(self, method):
        """Whether other messages may be handled while this method waits."""
        raise NotImplementedError

    def _on_task_done(self):
        """On the sequence, with `tells_tasks`: an async method has ended."""
        raise NotImplementedError

    def _on_failure(self, error, Envelope envelope):
        """On the sequence: nobody waits for this error."""
        raise NotImplementedError

    def _on_drained(self):
        """On the sequence: stopping, and nothing is left to handle."""
        raise NotImplementedError

    def _on_runner_gone(self):
        """Any thread: the sequence runs nothing more."""
        raise NotImplementedError

    def _on_dead_letter(self, method, args, kwargs):
        """Any thread: a tell that nobody will handle."""
        raise NotImplementedError

    def _dead_error(self):
        """What an ask is told that nobody will handle."""
        raise NotImplementedError

    # Sending.

    cdef inline Py_ssize_t _size(self) noexcept:
        return 0 if self._queue is None else PyList_GET_SIZE(self._queue) - self._head

    cdef inline int _append(self, Envelope envelope) except -1:
        if self._queue is None:
            self._queue = [envelope]
        else:
            self._queue.append(envelope)
        return 0

    def __len__(self):
        return self._size()

    @property
    def capacity(self):
        """How many messages may wait."""
        return self._capacity

    @property
    def overflow(self):
        """What becomes of one more: 0 block, 1 fail, 2 drop_oldest, 3 drop_newest."""
        return <int>self._overflow

    def send(self, method, tuple args not None, dict kwargs, ReplyBase reply):
        """Puts a message in the mailbox. Any thread.

        Raises:
            MailboxFullError: a tell found no room. (An ask's error is in its reply.)
        """
        self._put(new_envelope(method, args, kwargs, reply))

    def receive(self, method, tuple args not None, dict kwargs, ReplyBase reply, chain):
        """The same for a message that came from another process: never waits, never raises.

        Args:
            chain: tokens of the asks in whose service it is.

        Returns:
            bool: False if it had to be parked, for want of room.
        """
        cdef Envelope envelope = Envelope.__new__(Envelope)
        envelope.method = method
        envelope.args = args
        envelope.kwargs = kwargs
        envelope.reply = reply
        envelope.chain = chain
        if self.closed or self.stopping:
            self._refuse(envelope)
            return True
        if chain and reply is not None and self._waits_for_one_of(chain):
            reply._complete(AskCycleError("the actor waits for an answer to the very ask that this "
                                          "one is for", (getattr(self, "ref", None),)), True)
            return True
        if self._size() >= self._capacity:
            if self._overflow == DROP_NEWEST or self._overflow == FAIL:
                self._drop(envelope)
                return True
            if self._overflow == DROP_OLDEST:
                self._drop(self._take())
            else:
                self._park(envelope)
                return False
        self._append(envelope)
        self._schedule()
        return True

    cdef int _put(self, Envelope envelope) except -1:
        if self.closed or self.stopping:
            return self._refuse(envelope)
        if self._sequence is not None and self._sequence._generation != ForkGeneration():
            return self._refuse_in_fork(envelope)
        if self._size() >= self._capacity and not self._make_room(envelope):
            return 0
        self._append(envelope)
        if not self._scheduled and not self.busy and not self.suspended:
            self._schedule()
        return 0

    cdef int _refuse_in_fork(self, Envelope envelope) except -1:
        error = ActorDeadError(f"{self!r} lives in the process that fork()ed this one")
        if envelope.reply is None:
            raise error  # there is nobody to whom a dead letter would be of use
        envelope.reply._complete(error, True)
        return 0

    cdef bint _make_room(self, Envelope envelope) except -1:
        """False: the envelope is not to be put in the queue."""
        if self._overflow == DROP_NEWEST:
            self._drop(envelope)
            return False
        if self._overflow == DROP_OLDEST:
            self._drop(self._take())
            return True
        if self._overflow == BLOCK and not on_sequence_or_loop():
            self._await_room()
            if self.closed or self.stopping:
                self._refuse(envelope)
                return False
            return True
        if envelope.reply is None:
            raise mailbox_full(self)
        if self._overflow == BLOCK:
            envelope.reply._hold_back(envelope)
        else:
            envelope.reply._complete(mailbox_full(self), True)
        return False

    cdef int _await_room(self) except -1:
        """Blocks this thread, which nobody else waits for."""
        cdef c_Event* event = ThreadEvent()
        cdef Environment environment = this_environment()
        cdef _Room room
        if environment is not None:
            room = _Room.__new__(_Room)
            room.mailbox = self
            environment._run_until(room, None)
            return 0
        while True:
            event.Reset()
            if self.closed or self.stopping or self._size() < self._capacity:
                return 0
            self._senders.push_back(Ref[c_Event](event))
            with nogil:
                SleepUntilSet(event, next_slice(kNever))
            self._forget_sender(event)
            PyErr_CheckSignals()

    cdef int _forget_sender(self, c_Event* event) except -1:
        cdef vector[Ref[c_Event]] left
        cdef size_t i
        for i in range(self._senders.size()):
            if self._senders[i].get() is not event:
                left.push_back(self._senders[i])
        self._senders.swap(left)
        return 0

    cdef int _park(self, Envelope envelope) except -1:
        if self.closed or self.stopping:
            return self._refuse(envelope)
        if self._size() < self._capacity:
            self._append(envelope)
            return self._schedule()
        if self._parked is None:
            self._parked = []
        self._parked.append(envelope)
        return 0

    def park(self, Envelope envelope):
        """For an ask that was held back and is awaited."""
        self._park(envelope)

    cdef int _admit(self) except -1:
        """There is room."""
        cdef Envelope envelope
        while self._parked and self._size() < self._capacity:
            envelope = self._parked.pop(0)
            if envelope.reply is None or envelope.reply._reply_state == PENDING:
                self._append(envelope)
        if not self._senders.empty() and self._size() < self._capacity:
            WakeSleeper(self._senders.front())
            self._senders.erase(self._senders.begin())
            after_call()
        return 0

    cdef int _drop(self, Envelope envelope) except -1:
        if envelope.reply is not None:
            envelope.reply._complete(mailbox_full(self), True)
        elif type(envelope.method) is str:
            self._on_dead_letter(envelope.method, envelope.args, envelope.kwargs)
        return 0

    cdef int _refuse(self, Envelope envelope) except -1:
        if envelope.reply is not None:
            envelope.reply._complete(self._dead_error(), True)
        elif type(envelope.method) is str:
            self._on_dead_letter(envelope.method, envelope.args, envelope.kwargs)
        return 0

    def call_urgently(self, function, *args):
        """Calls it on the sequence before the messages that wait, one at a time like them."""
        cdef Envelope envelope = Envelope.__new__(Envelope)
        if self.closed:
            return
        envelope.method = function
        envelope.args = args
        take_context(envelope)
        if self._urgent is None:
            self._urgent = []
        self._urgent.append(envelope)
        self._schedule()

    def command(self, function, *args):
        """Calls it on the sequence as soon as that is free, also between the steps of a method and
        after `close`."""
        if self._commands is None:
            self._commands = []
        self._commands.append((function, args))
        self._schedule_turn()

    def schedule(self):
        """To be called when `busy` or `suspended` has become False."""
        self._schedule()

    cdef int _schedule(self) except -1:
        if not self._scheduled and not self.busy and not self.suspended:
            self._schedule_turn()
        return 0

    cdef int _resume(self, ActorTask task, object error) except -1:
        """An async method can go on. Any thread."""
        if self._resumed is None:
            self._resumed = []
        self._resumed.append((task, error))
        return self._schedule_turn()

    @property
    def has_tasks(self):
        """Whether async methods are under way."""
        return bool(self._tasks)

    def cancel_tasks(self):
        """Cancels the async methods that are under way. On the sequence."""
        for task in list(self._tasks or ()):
            task.cancel()

    cdef int _schedule_turn(self) except -1:
        cdef CallTask* task
        if self._scheduled:
            return 0
        self._scheduled = True
        try:
            if self._sequence is None:
                self.runner.post_task(self.take_turn)
                return 0
            self._sequence._check_loop()
            task = new CallTask()
            task.mode = TaskMode.kTurn
            task.callable = keep(self)
            if self._sequence._keeps_runner:
                task.runner = keep(self._sequence)
            self._sequence._push(task)
        except ShutdownError:
            self._on_runner_gone()
        return 0

    # Handling, on the sequence.

    def take_turn(self):
        """A task of the sequence: handles what is there, for a while."""
        self._take_turn()

    cdef int _take_turn(self) except -1:
        cdef Time end = 0
        cdef int count = 0
        cdef int most = MESSAGES_PER_TURN
        cdef Envelope envelope
        cdef list commands
        if self._sequence is not None and self._sequence._one_by_one:
            most = 1
        while True:
            if self._commands:
                commands = self._commands
                self._commands = None
                while commands:
                    function, args = commands.pop(0)
                    try:
                        function(*args)
                    except BaseException:
                        self._commands = commands + (self._commands or [])
                        self._end_turn()
                        raise
                continue
            if self._resumed:
                task, error = self._resumed.pop(0)
                count += 1
                try:
                    if not (<ActorTask>task)._done:
                        (<ActorTask>task)._step(error)
                except BaseException:
                    self._end_turn()
                    raise
                task = None
                if count >= most:
                    break
                continue
            if self.busy or self.suspended or self.closed:
                break
            if not self.started:
                self._on_start()
                continue
            if self._urgent:
                envelope = self._urgent.pop(0)
            elif self._size() > 0:
                envelope = self._take()
            else:
                if self.stopping and not self._parked:
                    self._on_drained()
                    if self._commands:
                        continue
                break
            try:
                self._handle(envelope)
            except BaseException:
                self._end_turn()
                raise
            count += 1
            if count >= most or (count & 15 == 0 and self._time_is_up(&end)):
                break
        return self._end_turn()

    cdef bint _time_is_up(self, Time* end) noexcept:
        if end[0] == 0:
            end[0] = Now() + QUANTUM
            return False
        return Now() > end[0]

    cdef int _end_turn(self) except -1:
        """Goes idle, or to the end of the line if there is more."""
        self._scheduled = False
        if self._commands or self._resumed:
            self._schedule_turn()
        elif not self.busy and not self.suspended and not self.closed:
            if self._urgent or self._size() > 0:
                self._schedule_turn()
        return 0

    cdef Envelope _take(self):
        cdef list queue = self._queue
        cdef Envelope envelope = <Envelope>queue[self._head]
        queue[self._head] = None
        self._head += 1
        if self._head == PyList_GET_SIZE(queue):
            queue.clear()
            self._head = 0
        elif self._head >= 64 and self._head * 2 > PyList_GET_SIZE(queue):
            del queue[:self._head]
            self._head = 0
        if self._parked is not None or not self._senders.empty():
            self._admit()
        if self.on_taken is not None:
            self.on_taken()
        return envelope

    cdef int _handle(self, Envelope envelope) except -1:
        cdef PyObject* outer
        cdef Envelope outer_envelope
        cdef ReplyBase reply = envelope.reply
        cdef object result
        if reply is not None and not reply._begin():
            return 0
        outer = SetCurrentMailbox(<PyObject*>self)
        outer_envelope = self._current
        self._current = envelope
        self.thread = PyThread_get_thread_ident()
        if self.timed:
            self.began = Now()
        try:
            result = self._call(envelope)
            if type(result) is CoroutineType:
                start_task(self, result, envelope)
            elif envelope.stashed:
                pass
            elif reply is not None:
                if isinstance(result, ReplyBase):
                    pass_on(<ReplyBase>result, reply)
                else:
                    reply._complete(result, False)
        except BaseException as error:
            self.failed(error, envelope)
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            if type(envelope.method) is str:
                self.handled += 1
            self.began = 0
            self._current = outer_envelope
            SetCurrentMailbox(outer)
        return 0

    cdef object _call(self, Envelope envelope):
        cdef object method = envelope.method
        cdef object kwargs = envelope.kwargs
        cdef object result
        if type(method) is str:
            method = getattr(self.instance, method)
        cdef object context = envelope.context
        if context is None:
            # Not the thread's own, where what the method sets would be left for others.
            context = spare_contexts.pop() if spare_contexts else PyContext_New()
        if kwargs is None:
            result = call_in_context(context, method, envelope.args, NULL)
        else:
            result = call_in_context(context, method, envelope.args, <PyObject*>kwargs)
        if envelope.context is None:
            if type(result) is CoroutineType:
                envelope.context = context  # of its steps
            elif not context:
                spare_contexts.append(context)
        return result

    def failed(self, error, Envelope envelope):
        """What an asked method raises is its asker's; everything else is the actor's."""
        if envelope is not None and envelope.reply is not None:
            envelope.reply._complete(error, True)
        else:
            self._on_failure(error, envelope)

    def answer(self, Envelope envelope not None, result):
        """An async method has returned."""
        if envelope.reply is None or envelope.stashed:
            return
        if isinstance(result, ReplyBase):
            pass_on(<ReplyBase>result, envelope.reply)
        else:
            envelope.reply._complete(result, False)

    def run_guarded(self, function, *args):
        """Calls it now, on the sequence, as a callback of the actor: an error is its failure."""
        cdef Envelope envelope = Envelope.__new__(Envelope)
        envelope.method = function
        envelope.args = args
        take_context(envelope)
        self._handle(envelope)

    def current_method(self):
        """(name or callable, args) of what is being handled, or None."""
        cdef Envelope envelope = self._current
        return None if envelope is None else (envelope.method, envelope.args)

    def current_chain(self):
        """The asks in whose service the current message is: (Reply, chain), tokens or None."""
        return None if self._current is None else chain_of(self._current)

    def stash(self):
        """Puts the current message aside.

        Raises:
            RuntimeError: no message is being handled, or it is aside.
        """
        cdef Envelope envelope = self._current
        if envelope is None or type(envelope.method) is not str:
            raise RuntimeError("only the message that is being handled can be stashed")
        if envelope.stashed:
            raise RuntimeError("the message has been stashed")
        if self._stash is None:
            self._stash = []
        if len(self._stash) >= self._capacity:
            raise mailbox_full(self)
        envelope.stashed = True
        self._stash.append(envelope)

    def unstash(self):
        """Puts what is aside back, before the messages that wait. Returns how many."""
        cdef Envelope envelope
        cdef list stashed = self._stash
        if not stashed:
            return 0
        self._stash = None
        for envelope in stashed:
            envelope.stashed = False
            if envelope.reply is not None and envelope.reply._reply_state == RUNNING:
                envelope.reply._reply_state = PENDING
        self._queue = stashed + (self._queue or [])[self._head:]
        self._head = 0
        self._schedule()
        return len(stashed)

    cdef int _add_wait(self, ReplyBase reply) except -1:
        if self._waits is None:
            self._waits = []
        self._waits.append(reply)
        return 0

    cdef int _remove_wait(self, ReplyBase reply) except -1:
        cdef Py_ssize_t i
        if self._waits is not None:
            for i in range(PyList_GET_SIZE(self._waits)):
                if self._waits[i] is reply:
                    del self._waits[i]
                    break
        return 0

    def waits(self):
        """The replies that the actor waits for, with all else it could do waiting too."""
        cdef list found = list(self._waits) if self._waits else []
        if self._sequence is not None and self._sequence._blocked_on is not None:
            found.append(self._sequence._blocked_on[0])
        return found

    cdef bint _waits_for_one_of(self, object tokens) except -1:
        for reply in self.waits():
            if (<ReplyBase>reply).token is not None and (<ReplyBase>reply).token in tokens:
                return True
        return False

    # The end.

    def close(self):
        """Refuses everything from now on: asks fail, tells are dead letters. Any thread."""
        cdef Envelope envelope
        cdef list left
        cdef size_t i
        if self.closed:
            return
        self.closed = True
        if self._current is not None and self._current.reply is not None:
            self._current.reply._complete(self._dead_error(), True)
        for task in list(self._tasks or ()):
            envelope = (<ActorTask>task)._envelope
            if envelope.reply is not None:
                envelope.reply._complete(self._dead_error(), True)
        left = (self._queue or [])[self._head:]
        self._queue = None
        self._head = 0
        for more in (self._stash, self._parked):
            if more:
                left += more
        self._stash = self._parked = self._urgent = None
        for i in range(self._senders.size()):
            WakeSleeper(self._senders[i])
        self._senders.clear()
        after_call()
        for envelope in left:
            self._refuse(envelope)

    def wake_senders(self):
        """Threads that wait for room look again: `stopping` has become True."""
        cdef size_t i
        for i in range(self._senders.size()):
            WakeSleeper(self._senders[i])
        self._senders.clear()
        after_call()


@cython.final
cdef class _Room(_Condition):
    """What a sender waits for in a test environment."""

    cdef Mailbox mailbox

    cdef bint _holds(self) except -1:
        cdef Mailbox mailbox = self.mailbox
        return mailbox.closed or mailbox.stopping or mailbox._size() < mailbox._capacity

    cdef object _describe(self):
        return f"room in the mailbox of {self.mailbox!r}"


cdef int pass_on(ReplyBase source, ReplyBase reply) except -1:
    """A method that returns a Reply answers with what that will be."""
    def settle(done):
        cdef ReplyBase answered = done
        if answered._reply_state == CANCELLED:
            from concurrent.futures import CancelledError as FutureCancelledError
            reply._complete(FutureCancelledError(), True)
        else:
            reply._complete(answered._outcome, answered._failed)
    source.add_done_callback(settle)
    return 0


cdef int check_ask_cycle(ReplyBase reply, Mailbox mailbox, object runner) except -1:
    """Raises AskCycleError if the reply can never come while `mailbox` or `runner` waits for it."""
    cdef list path = []
    if not isinstance(reply._target, Mailbox):
        if mailbox is not None:
            fail_asks_in_service_of(mailbox, reply)
        return 0
    if (<Mailbox>reply._target).runner is not runner and not (<Mailbox>reply._target).waits():
        if reply._target is not mailbox:
            return 0
    if not finds_way(reply._target, mailbox, runner, path, set()):
        return 0
    chain = tuple([getattr(each, "ref", each) for each in path])
    if mailbox is not None:
        chain = (getattr(mailbox, "ref", mailbox), *chain)
    raise AskCycleError(
        "the answer can never come, for everybody here waits for the next: "
        + " -> ".join([repr(each) for each in chain]), chain)


cdef bint finds_way(Mailbox target, Mailbox mailbox, object runner, list path, set seen) except -1:
    """Whether what `target` waits for leads back to the one that is going to wait."""
    path.append(target)
    if target is mailbox or target.runner is runner:
        return True
    if target not in seen:
        seen.add(target)
        for reply in target.waits():
            following = (<ReplyBase>reply)._target
            if isinstance(following, Mailbox) and finds_way(following, mailbox, runner, path, seen):
                return True
    path.pop()
    return False


cdef int fail_asks_in_service_of(Mailbox mailbox, ReplyBase reply) except -1:
    """Asks that came from other processes, for the sake of the reply that is going to be waited
    for: they cannot be handled before it has come."""
    cdef Envelope envelope
    if reply.token is None:
        return 0
    for each in (mailbox._queue or [])[mailbox._head:]:
        envelope = each
        if (envelope.reply is not None and type(envelope.chain) is frozenset
                and reply.token in envelope.chain):
            envelope.reply._complete(AskCycleError(
                "the actor waits for an answer to the very ask that this one is for",
                (getattr(mailbox, "ref", None),)), True)
    return 0
