"""Ray, with processes of its own that last as long as the block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

RAY_STORE = 1 << 30  # bytes; all of Ray's arrays are in there


@contextmanager
def ray_session(processors: int) -> Iterator[Any]:
    """The module; it takes seconds to start."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        ray.init(
            num_cpus=processors,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=RAY_STORE,
            _temp_dir=folder,
        )
        try:
            yield ray
        finally:
            ray.shutdown()
