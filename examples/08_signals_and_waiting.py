"""Every pipe end has signals; a thread can wait for them."""

import threading

from mojo_seq import Result, Signals, create_message_pipe, wait, wait_many


def main() -> None:
    here, there = create_message_pipe()
    other, silent = create_message_pipe()
    with here, there, other, silent:
        state = here.query_signals_state()
        assert state.writable and not state.readable
        assert state.can_satisfy(Signals.READABLE)  # not now, but possible

        result, _ = wait(here, Signals.READABLE, timeout=0)
        assert result is Result.DEADLINE_EXCEEDED  # an outcome, not an exception

        thread = threading.Thread(target=there.write, args=(b"wake up",))
        thread.start()
        result, index, states = wait_many([(other, Signals.READABLE), (here, Signals.READABLE)])
        thread.join()
        assert (result, index) == (Result.OK, 1)
        assert states[1].readable

        here.read().close()
        there.close()
        result, state = wait(here, Signals.READABLE)
        assert result is Result.FAILED_PRECONDITION  # it can never be readable again
        assert state.peer_closed and state.never_readable
        print("woken by a message, then told that no more can come")


if __name__ == "__main__":
    main()
