# Asks whose answers can never come, because everybody waits for the next.


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
    cdef object token = reply._get_token()
    if token is None:
        return 0
    for each in (mailbox._queue or [])[mailbox._head:]:
        envelope = each
        if (envelope.reply is not None and type(envelope.chain) is frozenset
                and token in envelope.chain):
            envelope.reply._complete(AskCycleError(
                "the actor waits for an answer to the very ask that this one is for",
                (getattr(mailbox, "ref", None),)), True)
    return 0


cdef int check_loop(ReplyBase reply) except -1:
    """Raises if a coroutine would block the very event loop that the actor runs on."""
    cdef Mailbox mailbox
    if running_loop is None or not isinstance(reply._target, Mailbox):
        return 0
    mailbox = reply._target
    if isinstance(mailbox._sequence, FdSequence):
        loop = running_loop()
        if loop is not None and getattr(mailbox.runner, "_loop", None) is loop:
            ref = getattr(mailbox, "ref", None)
            raise AskCycleError(f"{mailbox!r} runs on the event loop that would be blocked", (ref,))
    return 0
