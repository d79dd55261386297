"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterable

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 15.0
SECONDS_TO_THE_FIRST = 2.0


class _Lines:
    """A file that makes whole lines of a bar's redrawing of itself."""

    def write(self, text: str) -> None:
        if text.strip():
            sys.stderr.write(text.strip() + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress(
    iterable: Iterable | None = None,
    *,
    total: int | None = None,
    initial: int = 0,
    desc: str = "",
    unit: str = "it",
    leave: bool = True,
):
    """Wraps `iterable`, or counts `.update(n)` calls from `initial` to `total`; an iterator or a context.

    Without `leave`, nothing of it stays on the terminal when it is done.
    """
    settings = {"unit_scale": True, "smoothing": 0.1, "dynamic_ncols": True}
    if not sys.stderr.isatty():
        wait = {"mininterval": SECONDS_BETWEEN_LINES, "maxinterval": 2 * SECONDS_BETWEEN_LINES}
        settings = {"unit_scale": True, "file": _Lines(), "delay": SECONDS_TO_THE_FIRST, **wait}
    return tqdm(iterable, total=total, initial=initial, desc=desc, unit=unit, leave=leave, **settings)
