# Reports of messages that make no sense, and of peers that send no messages at all.

cdef object bad_message_handler = None  # see set_bad_message_handler; owned by the GIL


def set_bad_message_handler(handler):
    """Tells the core whom to tell of bad messages: handler(reason, pid) -> whether it was handled.

    `pid` is that of the process that wrote the message, as it knows itself. What is not handled is
    logged.
    """
    global bad_message_handler
    bad_message_handler = handler


cdef int report_bad_message(str reason, uint32_t sender) except -1:
    if sender != 0 and bad_message_handler is not None and bad_message_handler(reason, sender):
        return 0
    import logging
    source = f" from process {sender}" if sender != 0 else ""
    logging.getLogger("mojo_seq").error("bad message%s: %s", source, reason)
    return 0


cdef int drain_bad_peers() noexcept:
    """Reports what the engine found. Their pipes are closed already."""
    cdef vector[uint32_t] peers = TakeBadPeers()
    cdef size_t i
    for i in range(peers.size()):
        try:
            report_bad_message("what was received is not a message; its pipe was closed", peers[i])
        except BaseException:
            PyErr_WriteUnraisable(NULL)
    return 0
