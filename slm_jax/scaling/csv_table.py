"""A CSV file as rows of text, or one sentence on why it is no such table."""

import csv
import io
import os
import pathlib

from slm_jax.errors import InputError

SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods, .xls
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}


def read_rows(path: str | os.PathLike) -> tuple[list[dict[str, str]], list[str]]:
    """The rows of a comma-separated table in UTF-8 (with a byte order mark or without) and its columns.

    Names and cells come without the spaces around them. Raises InputError for a file that is missing, empty,
    of another encoding, separator or kind, and for a column named twice or a row longer or shorter than the
    header.
    """
    path = pathlib.Path(path)
    text = _read_text(path)
    _check_separator(path, text)
    try:
        lines = [line for line in csv.reader(io.StringIO(text), strict=True) if line]
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV table ({error}); save it again as CSV") from None
    columns, *cells = [[cell.strip() for cell in line] for line in lines]
    for number, name in enumerate(columns, start=1):
        if not name and any(number <= len(line) and line[number - 1] for line in cells):
            raise InputError(f"{path}: column {number} has no name in the header; name it or remove it")
        if name and columns.count(name) > 1:
            raise InputError(f"{path}: column {name!r} appears twice; rename one of them")
    for number, line in enumerate(cells, start=1):
        if len(line) != len(columns):
            raise InputError(
                f"{path}, row {number}: {len(line)} values under a header of {len(columns)} columns; add "
                "what is missing, and quote values that hold a comma"
            )
    return [dict(zip(columns, line, strict=True)) for line in cells], [name for name in columns if name]


def _read_text(path: pathlib.Path) -> str:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: no such file; give the results.csv of a study") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; give the results.csv in it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if content.startswith(SPREADSHEETS):
        raise InputError(f"{path}: is a spreadsheet, not a CSV table; save it as CSV (UTF-8)")
    if content.startswith(UTF_16):
        raise InputError(f"{path}: not a CSV table in UTF-8 but in UTF-16; save it as CSV (UTF-8)")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not a CSV table in UTF-8; save it as CSV (UTF-8)") from None
    if not text.strip():
        raise InputError(
            f"{path}: the file is empty; it needs a header and one row a training run, separated by commas"
        )
    return text


def _check_separator(path: pathlib.Path, text: str) -> None:
    header = text.strip().splitlines()[0]
    for separator, name in OTHER_SEPARATORS.items():
        if separator in header and "," not in header:
            raise InputError(
                f"{path}: its columns are separated by {name}; save it separated by commas, "
                "with decimal points"
            )
