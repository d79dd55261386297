"""Units in text files, one recording a line: read in order once, then again wherever a line starts."""

import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

from slm_jax.data.imports.record import ImportedRecord, named_split
from slm_jax.errors import InputError


class Lines:
    """The lines of a file, or of the files with one of `suffixes` in a folder, whose names may say the split
    (train.txt, dev.txt).

    `parse` makes a record of (where, line). Raises InputError naming file and line.
    """

    k = None

    def __init__(
        self, path: str | os.PathLike, suffixes: Sequence[str], parse: Callable[[str, str], ImportedRecord]
    ):
        path = pathlib.Path(path)
        self._in_folder = path.is_dir()
        self._files = sorted(f for f in path.iterdir() if f.suffix in suffixes) if self._in_folder else [path]
        if not self._files or not self._files[0].is_file():
            raise InputError(f"{path}: no such file, or a folder without {' or '.join(suffixes)} files")
        self._parse = parse

    def places(self) -> Iterator[tuple[tuple[int, int, int], ImportedRecord]]:
        """Every record with (number of the file, byte its line starts at, number of its line)."""
        for index, path in enumerate(self._files):
            with path.open("rb") as file:
                start = 0
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        place = index, start, number
                        yield place, self._record(place, line)
                    start += len(line)

    def read(self, place: Sequence[int]) -> ImportedRecord:
        index, start, _ = place
        with self._files[index].open("rb") as file:
            file.seek(start)
            return self._record(place, file.readline())

    def _record(self, place: Sequence[int], line: bytes) -> ImportedRecord:
        index, _, number = place
        where = f"{self._files[index]}, line {number}"
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
        except UnicodeDecodeError:
            raise InputError(f"{where}: is not UTF-8 text; convert the file") from None
        record = self._parse(where, self._named(self._files[index], number, text))
        if record.split is None and self._in_folder:
            record.split = named_split(self._files[index].stem)
        return record

    def _named(self, path: pathlib.Path, number: int, text: str) -> str:
        """A line as `parse` wants it, for formats whose lines have their names elsewhere."""
        return text
