"""Any handle can travel in a message: here, the way to answer."""

from mojo_seq import MessagePipeHandle, create_message_pipe


def serve(requests: MessagePipeHandle) -> None:
    """Answer one request over the pipe that came with it."""
    with requests.read() as request:
        (reply_to,) = request.take_handles()  # from here on it is ours
        assert isinstance(reply_to, MessagePipeHandle)
        with reply_to:
            reply_to.write(bytes(request).upper())


def main() -> None:
    client, server = create_message_pipe()
    answers, reply_to = create_message_pipe()
    with client, server, answers:
        client.write(b"hello", [reply_to])
        assert not reply_to.is_valid  # sending moves: nobody can hold one end twice

        serve(server)

        answer = bytes(answers.read())
        assert answer == b"HELLO"
        assert answers.query_signals_state().peer_closed  # the server is done with its end
        print(f"answer: {answer.decode()}")


if __name__ == "__main__":
    main()
