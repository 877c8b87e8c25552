# What the core has to do with processes: adopting sockets, life and death, fork and exit.

cdef object handle_reducer = None  # see set_handle_reducer; owned by the GIL


def set_handle_reducer(reducer):
    """Tells the core how handles may be pickled: reducer(handle) returns what `__reduce_ex__` may,
    or NotImplemented where it cannot be."""
    global handle_reducer
    handle_reducer = reducer


def adopt_socket(fd):
    """Makes a message pipe end of a connected Unix stream socket; takes the descriptor on success.

    Its peer is whoever holds the other end of the socket, once that has been adopted, too.

    Raises:
        InvalidArgumentError: not an open descriptor of such a socket.
    """
    cdef int number = to_fd(fd)
    cdef Ref[MessagePipeEndpoint] endpoint
    if not IsConnectedSocket(number):
        raise InvalidArgumentError(f"descriptor {fd} is not a connected Unix stream socket")
    endpoint = AdoptSocket(number)
    return wrap_handle(MessagePipeHandle, endpoint.Detach())


def watch_lifeline(fd):
    """Ends this process at once, whatever it does, when the other end of `fd` is gone.

    Takes the descriptor.
    """
    StartLifeline(to_fd(fd))


def initial_descriptor_limit():
    """The soft limit of descriptors as it was before this process raised it for its pipes."""
    return InitialDescriptorLimit()


def set_max_message_bytes(nbytes):
    """Sets the size above which messages are refused, written or received; returns the old one.

    Both sides of a pipe must agree: a larger message than the receiver takes costs the pipe.
    """
    cdef size_t old = MaxMessageBytes()
    SetMaxMessageBytes(to_size(nbytes, "nbytes"))
    return old


def release_cached_memory():
    """Gives shared memory that is kept for the next large messages back to the system."""
    with nogil:
        TrimSegments()


def flush(timeout):
    """Waits until all that was written has left this process, or its reader has ended.

    Args:
        timeout: seconds; None: no limit.

    Returns:
        int: how many messages have not left.
    """
    return wait_unsent(timeout).messages


cdef Unsent wait_unsent(object timeout) except *:
    cdef Time deadline = to_deadline(timeout)
    cdef Unsent unsent
    if ExistingIoThread() is NULL:
        return unsent
    while True:
        with nogil:
            unsent = ExistingIoThread().Flush(next_slice(deadline))
        PyErr_CheckSignals()
        if unsent.messages == 0 or Now() >= deadline:
            return unsent


# How long a process that exits waits for readers of what it wrote.
EXIT_TIMEOUT = 5.0


def finish_io():
    """At exit: what was written is delivered, or what is lost is said loudly; the threads end."""
    cdef Unsent unsent = wait_unsent(EXIT_TIMEOUT)
    if unsent.messages > 0:
        import sys
        print(f"mojo_seq: {unsent.messages} messages on {unsent.pipes} pipes were not delivered: "
              f"their readers did not take them within {EXIT_TIMEOUT} s", file=sys.stderr)
    with nogil:
        StopSystemThread()
        if ExistingIoThread() is not NULL:
            ExistingIoThread().Stop()


def before_fork():
    """What is looked at here may be looked at there, too, however long."""
    BeforeForkSegments()


def after_fork_in_child():
    """The inherited handles are dead, and the copies of their descriptors are closed."""
    AfterForkInChild()


def fork_generation():
    """How many forks there are between this process and the one that has loaded this module, as a
    cheap way to see that something is of another process."""
    return ForkGeneration()


os.register_at_fork(before=before_fork, after_in_child=after_fork_in_child)
atexit.register(finish_io)
