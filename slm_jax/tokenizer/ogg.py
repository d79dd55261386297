"""Whether an Ogg file was cut off: libsndfile reads what is left without an error."""

import os

HEADER = 27  # bytes of a page before the lengths of its segments (RFC 3533, section 6)
LONGEST_PAGE = HEADER + 255 + 255 * 255
END_OF_STREAM = 4


def is_cut(path: str | os.PathLike) -> bool:
    """Whether a file of Vorbis, Opus or FLAC ends inside a page, or with more bytes but no end of stream.

    A file cut exactly between two pages is not noticed: a recorder that was stopped leaves it like that.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LONGEST_PAGE))
        tail = file.read()
    start = tail.rfind(b"OggS")
    if start < 0:
        return False
    page = tail[start:]
    if len(page) < HEADER:
        return True
    segments = page[26]
    length = HEADER + segments + sum(page[HEADER : HEADER + segments])
    return len(page) < length or (len(page) > length and not page[5] & END_OF_STREAM)
