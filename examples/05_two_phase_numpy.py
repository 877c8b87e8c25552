"""Two-phase I/O: compute straight in the pipe's memory, without a copy on either side."""

import numpy as np

from mojo_seq import create_data_pipe


def main() -> None:
    producer, consumer = create_data_pipe(capacity=8 * 1000, element_size=8)
    with producer, consumer:
        total = 0.0
        for step in range(5):  # the windows wander round the ring, and are always contiguous
            with producer.begin_write() as window:
                numbers = window.as_array(np.float64)[:600]
                numbers[:] = np.arange(600) + step  # written where the consumer will read it
                del numbers  # a window can only end when nothing looks into it any more
                window.commit(600 * 8)

            with consumer.begin_read() as window:
                total += float(window.as_array(np.float64).sum())
                window.consume(window.nbytes)

        assert total == sum(sum(range(step, step + 600)) for step in range(5))
        print(f"3000 numbers, sum {total:.0f}, not one copied")


if __name__ == "__main__":
    main()
