# The way of messages to an actor of another process, where it is known and free.


cdef class RouteBase:
    """The core of a Route."""

    cdef readonly object _there       # constant, like the next
    cdef readonly object _box
    cdef int64_t _number              # the same as _there
    cdef public object _connection    # written under the Route's _lock

    def __init__(self, there, box):
        self._there = there
        self._number = there
        self._box = box

    def send_slowly(self, method, args, kwargs, reply):
        """What `send` does if it is not that simple."""
        raise NotImplementedError

    def send(self, method, tuple args not None, dict kwargs, ReplyBase reply):
        """Sends a message. What becomes of an ask is told to its reply.

        Raises:
            Whatever the encoding of the arguments raises; then nothing was sent.
            MailboxFullError: there is no room for a tell, and this thread must not wait for it.
        """
        if not self._send_quickly(method, args, kwargs, reply):
            self.send_slowly(method, args, kwargs, reply)

    cdef bint _send_quickly(self, object method, tuple args, dict kwargs, ReplyBase reply) except -1:
        """False: nothing was done."""
        global last_ask
        cdef ConnectionBase connection
        cdef PurseBase purse = None
        cdef object path = None
        cdef int64_t ask = 0
        cdef bytes payload
        if self._connection is None:
            return False
        connection = self._connection
        if connection.lost or (connection.ends and self._there in connection.ends):
            return False
        if self._box is not None:
            purse = connection._purses.get(self._there)
            if purse is None or purse._is_empty():
                return False
        if reply is None:
            payload = plain_bytes((method, args, kwargs, None), WIRE_TELL, self._number, 0)
        else:
            path = path_here()
            last_ask += 1
            ask = last_ask
            payload = plain_bytes((method, args, kwargs, path), WIRE_ASK, self._number, ask)
        if payload is None:
            return False
        if purse is not None:
            purse.left -= 1
        if reply is not None:
            connection._await_answer(reply, ask)
        try:
            connection.pipe.write(payload)
        except BaseException as error:
            if purse is not None:
                purse.left += 1
            if reply is not None and not connection._take_back(reply):
                return True
            if isinstance(error, MojoError):
                return False  # perhaps nobody is there: that is seen to the slow way
            raise
        if reply is not None:
            connection._go_on()
        return True
