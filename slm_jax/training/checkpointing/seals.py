"""Checksums of a checkpoint's files, because a storage that lost bytes does not say so when they are read.

They are written into the checkpoint before it takes its name, so every whole checkpoint has them. What they
do not cover is Orbax's own note of times, which is only checked to be JSON. A checkpoint without them, from
an older version, is trusted.
"""

import json
import pathlib

import jax

from slm_jax.files import read_json, sha256, write_json
from slm_jax.training.agreement import failure_of_any

SEAL = "files.json"
TIMES = "_CHECKPOINT_METADATA"  # Orbax writes the time of the commit into it last of all
UNFINISHED = ".orbax-checkpoint-tmp"


def seal(folder: pathlib.Path) -> None:
    """Writes the SHA-256 of every file of a checkpoint's folder into it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != TIMES)
    write_json(folder / SEAL, {path.relative_to(folder).as_posix(): sha256(path) for path in paths})


def seal_also(folder: pathlib.Path, path: pathlib.Path) -> None:
    """Adds the SHA-256 of a file that was put into a sealed checkpoint later."""
    if (folder / SEAL).exists():
        write_json(
            folder / SEAL, read_json(folder / SEAL) | {path.relative_to(folder).as_posix(): sha256(path)}
        )


def find_damage(folder: pathlib.Path, items: tuple[str, ...] | None = None) -> str | None:
    """Why a checkpoint cannot be used; None when its files are as they were written.

    Reads every file of `items` (all by default) once; several processes share the files and agree.
    """
    return failure_of_any(_find_damage_of_own_part(folder, items))


def _find_damage_of_own_part(folder: pathlib.Path, items: tuple[str, ...] | None) -> str | None:
    for name in (TIMES, SEAL):
        try:
            content = json.loads((folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            if name == SEAL:
                return None
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
        except ValueError:
            return f"{name} is not JSON"
    paths = [path for path in sorted(content) if items is None or path.split("/")[0] in items]
    for path in paths[jax.process_index() :: jax.process_count()]:
        try:
            if sha256(folder / path) != content[path]:
                return f"{path} has other bytes than were written"
        except FileNotFoundError:
            return f"{path} is missing"
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}"
    return None
