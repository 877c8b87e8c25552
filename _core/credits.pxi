# Credits: how many messages a client may send to an actor in another process before some were taken
# from its mailbox. What is done without any is the actor layer's, mojo_seq.actor.remote.credits.


cdef class PurseBase:
    """The core of a Purse: a client's credits for one actor."""

    cdef public int64_t left
    cdef readonly object _held_back  # a deque: sends of asks that are awaited

    def __init__(self, left, held_back):
        self.left = left
        self._held_back = held_back

    cdef inline bint _is_empty(self) except -1:
        return self.left <= 0 or bool(self._held_back)


cdef class CreditBookBase:
    """The core of a CreditBook, which gives back the credits of one actor's clients. But for
    `note`, owned by the sequence of the actor."""

    cdef readonly object _waiting  # a deque: who has sent what is in the mailbox
    cdef dict _counts              # credits by client that are to be given back together
    cdef object _number            # constant, like all below
    cdef int64_t _batch
    cdef object _note, _next

    def __init__(self, number, batch, waiting):
        self._number = number
        self._batch = batch
        self._waiting = waiting
        self._note = waiting.append
        self._next = waiting.popleft
        self._counts = {}

    def note(self, accepted):
        """A client's message goes into the mailbox."""
        self._note(accepted)

    def on_taken(self):
        """A message has left the mailbox. One of this process's own may be taken for a client's:
        then the client gets its credit a little early."""
        cdef int64_t count
        if not self._waiting:
            return
        accepted = self._next()
        count = self._counts.get(accepted, 0) + 1
        if count >= self._batch:
            accepted.give_credit(self._number, count)
            count = 0
        self._counts[accepted] = count
        if accepted.lost:
            self._counts.pop(accepted, None)  # it may have been forgotten just before

    def forget(self, accepted):
        """A client is gone, and its `lost` says so. Any thread."""
        self._counts.pop(accepted, None)
