"""A numpy function mapped over a large array: the workers write in the array itself, no copies."""

import numpy as np

from mojo_seq import ProcessPool, shared_array

Array = np.ndarray[tuple[int, int], np.dtype[np.float64]]
ROWS, COLUMNS, BAND = 512, 4096, 32


def smooth(band: Array) -> float:
    """Runs in a worker; returns how much it has changed."""
    before = band.copy()
    band[:, 1:-1] = (before[:, :-2] + before[:, 1:-1] + before[:, 2:]) / 3
    return float(np.abs(band - before).max())


def main() -> None:
    picture = shared_array((ROWS, COLUMNS))  # an ndarray like any other, in shared memory
    picture[:] = np.random.default_rng(0).random((ROWS, COLUMNS))
    alone = picture.copy()  # in this process's own memory

    bands = [picture[start : start + BAND] for start in range(0, ROWS, BAND)]
    with ProcessPool(2) as pool:
        # What goes to a worker is where a band lies, not what is in it.
        changes = list(pool.map(smooth, bands))

    assert smooth(alone) == max(changes)
    assert (picture == alone).all()
    print(f"{picture.size:,} numbers were smoothed in place, in {len(bands)} bands")


if __name__ == "__main__":
    main()
