"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 15.0


class _Lines(tqdm):
    """tqdm for logs: one whole line now and then instead of a bar that redraws itself."""

    def __init__(self, *args, **kwargs):
        kwargs.update(mininterval=SECONDS_BETWEEN_LINES, maxinterval=2 * SECONDS_BETWEEN_LINES, leave=True)
        super().__init__(*args, **kwargs)

    @staticmethod
    def status_printer(file):
        started = time.monotonic()
        last = ""

        def print_line(line: str) -> None:
            nonlocal last
            fresh = line.strip() and line != last
            if fresh and time.monotonic() - started > 1.0:
                file.write(line + "\n")
                file.flush()
            last = line

        return print_line


def progress(
    iterable: Iterable | None = None,
    *,
    total: int | None = None,
    initial: int = 0,
    desc: str = "",
    unit: str = "it",
):
    """Wraps `iterable`, or counts `.update(n)` calls from `initial` to `total`; an iterator or a context."""
    bar = tqdm if sys.stderr.isatty() else _Lines
    settings = {"dynamic_ncols": True, "unit_scale": True, "smoothing": 0.1}
    return bar(iterable, total=total, initial=initial, desc=desc, unit=unit, **settings)
