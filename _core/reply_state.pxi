# What has become of an ask.

cdef enum ReplyState:
    PENDING
    RUNNING
    UNSENT      # the mailbox was full; whoever awaits it waits for room
    FINISHED
    CANCELLED

cdef dict STATE_NAMES = {
    PENDING: "PENDING", RUNNING: "RUNNING", UNSENT: "PENDING", FINISHED: "FINISHED",
    CANCELLED: "CANCELLED_AND_NOTIFIED",
}

# What replies need of the layer above.

cdef object running_loop = None  # asyncio's function, once it was imported
cdef object await_in_trio = None
cdef object awaiting_mailbox = None  # a context variable, of the actor layer


def set_reply_functions(in_trio, context_variable):
    """Given by the actor layer: how to await a Reply under trio, and whose `async def` method runs."""
    global await_in_trio, awaiting_mailbox
    await_in_trio = in_trio
    awaiting_mailbox = context_variable
