"""A program: a child, and very many pipes to it. It tells the limits of descriptors on the way."""

from __future__ import annotations

import sys

from mojo_seq import create_message_pipe
from puppets import Puppet
from puppets.limits import echo_on_each, limit
from puppets.pipes import receive


def main(count: int) -> None:
    print("at first:", limit()[0])
    child = Puppet()
    pipes = [create_message_pipe() for _ in range(count)]
    far = [child.give(b) for _, b in pipes]
    print(f"with {count} pipes:", limit()[0])
    print(f"a child, with {count} pipes:", child.call(limit)[0])
    child.begin(echo_on_each, far)
    for number, (a, _) in enumerate(pipes):
        a.write(str(number).encode())
    for number, (a, _) in enumerate(pipes):
        with a:
            assert receive(a) == str(number).encode()
    child.finish()
    child.close()
    print("all of them work")


if __name__ == "__main__":
    main(int(sys.argv[1]))
