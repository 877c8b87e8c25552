# A node's end of a connection: the part that every ask from another process takes.

cdef object new_hosted_reply = None  # the class HostedReply


def set_hosted_reply_class(hosted_reply):
    """Given by the actor layer."""
    global new_hosted_reply
    new_hosted_reply = hosted_reply


cdef class AcceptedBase(PipeReaderBase):
    """The core of an Accepted."""

    cdef readonly dict _asks       # HostedReplies by number, that the client has not been told of
    cdef readonly dict _known      # by number: actors whose end the client is told
    cdef dict _cells               # the node's own, like the next two
    cdef dict _hosted
    cdef dict _books
    cdef public bytes client
    cdef bytes _last_path          # what came last, like the next two
    cdef dict _last_asks
    cdef frozenset _last_chain

    def __init__(self, pipe, reading, state, inbox, dict cells not None, dict hosted not None,
                 dict books not None):
        PipeReaderBase.__init__(self, pipe, reading, state, inbox)
        self._asks = {}
        self._known = {}
        self._cells = cells
        self._hosted = hosted
        self._books = books
        self.client = b""

    # What the subclass does.

    def answer_slowly(self, reply):
        """What is done with an answer that is not plain."""
        raise NotImplementedError

    def _refuse(self, number, reply, error):
        """A message could not be decoded."""
        raise NotImplementedError

    def find(self, number):
        """The cell of an actor: of the node's own system, or, by the negative number of its home,
        of one that is hosted here; None: it has ended."""
        return self._find(number)

    cdef object _find(self, int64_t number):
        return self._cells.get(number) if number > 0 else self._hosted.get(-number)

    cdef int _on_plain(self, uint8_t kind, int64_t number, int64_t ask, bytes payload) except -1:
        if (kind != WIRE_ASK and kind != WIRE_TELL) or not self._call(kind, number, ask, payload):
            self.on_parts(kind, number, ask, payload, [])
        return 0

    cdef bint _call(self, uint8_t kind, int64_t number, int64_t ask, bytes payload) except -1:
        """Gives a message to an actor. False: nothing was done, for it is not that simple."""
        cdef object cell = self._find(number)
        cdef Mailbox mailbox
        cdef HostedReplyBase reply = None
        cdef CreditBookBase book = None
        cdef object chain = None
        if not isinstance(cell, Mailbox) or number not in self._known:
            return False
        mailbox = cell
        if mailbox._overflow == BLOCK or mailbox._overflow == FAIL:
            book = self._books.get(number)
            if book is None:
                return False
        if kind == WIRE_ASK:
            reply = new_hosted_reply(self, ask, cell)
            self._asks[ask] = reply
        try:
            method, args, kwargs, path = load_plain(payload)
        except Exception as error:
            self._refuse(number, reply, error)
            return True
        if reply is not None and path is not None:
            reply.path, chain = self._path(path)
        if book is not None:
            book._note(self)
        mailbox._receive(method, args, kwargs, reply, chain)
        if reply is not None and reply._reply_state < FINISHED and mailbox._is_waiting():
            reply.extend(None)
        if book is not None and reply is not None and reply._reply_state >= FINISHED:
            book.on_taken()  # perhaps it was refused, and never was in the mailbox
        return True

    def read_path(self, path):
        """(the asks in whose service a message is, their tokens), from what was sent."""
        return self._path(path)

    cdef tuple _path(self, object path):
        if type(path) is not bytes:
            return path, frozenset(path)
        if path != self._last_path:
            self._last_asks = load_plain(path)
            self._last_chain = frozenset(self._last_asks)
            self._last_path = path
        return self._last_asks, self._last_chain

    cdef int _answer(self, HostedReplyBase reply) except -1:
        """An ask was answered; on any thread."""
        cdef bytes payload = None
        if self._asks.pop(reply._ask, None) is None or self.lost:
            return 0  # it was cancelled
        if reply._reply_state == FINISHED and not reply._failed:
            try:
                payload = plain_bytes(reply._outcome, WIRE_ANSWER, 0, reply._ask)
            except Exception:
                payload = None
        if payload is None:
            self.answer_slowly(reply)
            return 0
        try:
            self.pipe.write(payload)
        except (PeerClosedError, InvalidArgumentError):
            if not self.lost and self.pipe.is_valid:
                self._read()
        return 0


cdef dict NO_PATH = {}


cdef class HostedReplyBase(ReplyBase):
    """The core of a HostedReply."""

    cdef object _accepted             # constant
    cdef public object path           # the asks in whose service it is; never changed in place
    cdef object _path_before          # what the next was made of
    cdef object _path_after

    def __init__(self, accepted, int64_t ask, cell):
        self._target = cell
        self._accepted = accepted
        self._ask = ask
        self.path = NO_PATH

    def extend(self, path):
        """See HostedReply."""
        raise NotImplementedError

    cdef object _get_token(self):
        if self._token is None:
            self._token = (self._accepted.client, self._ask)
        return self._token

    cdef int _tell(self) except -1:
        ReplyBase._tell(self)
        try:
            if isinstance(self._accepted, AcceptedBase):
                (<AcceptedBase>self._accepted)._answer(self)
            else:
                self._accepted.answer_slowly(self)
        except Exception:
            import logging
            logging.getLogger("mojo_seq.actor").exception("an answer cannot be sent")
        return 0

    cdef object _path_onwards(self, Envelope served):
        """What is sent with asks that the actor makes to answer this one."""
        if self._path_after is None or self._path_before is not self.path:
            self._path_before = self.path
            self._path_after = dump_plain(ask_path(chain_of(served)), PLAIN_PROTOCOL)
        return self._path_after
