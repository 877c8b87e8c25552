"""Results as they come, and never too many of them: the workers wait for whoever takes them."""

import itertools
from collections.abc import Iterator

import numpy as np

from mojo_seq import ProcessPool

Array = np.ndarray[tuple[int], np.dtype[np.float64]]
SIZE = 100_000


def mean_of_noise(seed: int) -> float:
    return float(np.random.default_rng(seed).random(SIZE).mean())


def samples(seed: int) -> Iterator[Array]:
    """A generator as a task: its items arrive while it goes on; it has no end."""
    random = np.random.default_rng(seed)
    while True:
        yield random.random(SIZE)


def main() -> None:
    seeds = itertools.count()
    with ProcessPool(2) as pool:
        # Endless arguments are no problem: only a few tasks are ahead of the loop.
        total = 0.0
        means = pool.imap_unordered(mean_of_noise, seeds, buffer=4)
        for count, mean in enumerate(means, 1):
            total += mean
            if count == 100:
                break
        means.close()  # what has not begun is cancelled
        assert 100 <= next(seeds) <= 110
        assert abs(total / 100 - 0.5) < 0.01

        # Of an endless generator as much as is wanted; closing it ends it in the worker.
        with pool.stream(samples, 7, buffer=2) as stream:
            first = list(itertools.islice(stream, 20))
        expected = samples(7)
        assert all((array == next(expected)).all() for array in first)
    print(f"{count} means and {len(first)} arrays were taken; the rest was never made")


if __name__ == "__main__":
    main()
