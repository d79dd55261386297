"""Whose a study's folder is: that of one config's data, and of one preparation at a time."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator

from slm_jax.data import sole_run
from slm_jax.errors import InputError
from slm_jax.files import is_empty, read_json, write_json
from slm_jax.study.config import StudyConfig
from slm_jax.study.folder import PLAN, StudyFolder
from slm_jax.study.kinds import complete
from slm_jax.study.provenance import provenance
from slm_jax.training import differences


@contextlib.contextmanager
def claimed(folder: StudyFolder, config: StudyConfig) -> Iterator[dict]:
    """Holds the folder for one preparation; yields what plan.json is to say, all but its runs.

    Settings that decide no data may change, and corpora, tokens, tasks and arms may be added. A plan that is
    there stays until the new one is complete. Raises InputError when another process prepares there, and for
    a folder that holds something else, or this study's data made with other settings.
    """
    with sole_run(folder.path / ".preparing"):
        now, path = _as_saved(config), folder.path / PLAN
        found, data = _checked(folder, now)
        plan = {
            "name": config.name,
            "title": config.title,
            "config": now,
            "data": data,
            "runs": [],
            "seed": config.seed,
            **provenance(),
        }
        if found:
            plan["started"] = found["started"]
            write_json(path, found | {"data": data})
        else:
            write_json(path, plan)
        yield plan


def check_owner(folder: StudyFolder, config: StudyConfig) -> None:
    """Raises InputError for a folder that holds something else than this study."""
    _checked(folder, _as_saved(config))


def _as_saved(config: StudyConfig) -> dict:
    return _as_read(dataclasses.asdict(config))


def _as_read(content: dict) -> dict:
    """As it comes back from a file."""
    return json.loads(json.dumps(content))


def _checked(folder: StudyFolder, now: dict) -> tuple[dict | None, dict]:
    """The plan that is there, and what decides all data that are or will be."""
    path = folder.path / PLAN
    found = read_json(path) if path.exists() else None
    if found is None and not is_empty(folder.path):
        raise InputError(f"{folder.path}: is not empty and holds no study; give another --workdir")
    if found and "arms" not in found.get("config", {}):
        raise InputError(f"{path}: this folder holds another kind of study; give another --workdir")
    before = found.get("data", found["config"]) if found else {}
    changed = _changed_data(folder, before, _data(now)) if found else []
    if changed:
        raise InputError(
            f"{path}: this folder holds a study of other data ({', '.join(changed)}); give another "
            "--workdir, or remove the folder to start over"
        )
    data = _joined(before, _data(now))
    taken = sorted(data["corpora"].keys() & data["tasks"].keys())
    if taken:  # their datasets would be one folder
        raise InputError(f"{path}: {taken[0]!r} is a corpus and a task of this folder; name the new one anew")
    return found, data


def _data(config: dict) -> dict:
    """The fields that decide the data."""
    fitted_on = config["fit_on"] or next(iter(config["corpora"]))
    rooms = {room: config[room] for room in ("corpora", "tokens", "tasks")}
    return {"seed": config["seed"], "fit_on": fitted_on, **rooms}


def _joined(before: dict, now: dict) -> dict:
    """Also of data that the config has no more, but the folder has."""
    rooms = {room: before.get(room, {}) | now[room] for room in ("corpora", "tokens", "tasks")}
    return now | rooms


def _changed_data(folder: StudyFolder, before: dict, now: dict) -> list[str]:
    """What would make data that are there already other data."""
    places = {"corpora": folder.corpus, "tokens": folder.tokenizer, "tasks": folder.task}
    made = {
        room: [name for name in before.get(room, {}) if place(name).exists()]
        for room, place in places.items()
    }
    decides = ["seed"] * any(made.values()) + ["fit_on"] * bool(made["tokens"])
    if not before.get("fit_on"):
        before = before | {"fit_on": next(iter(before["corpora"]))}
    changed = differences({name: before[name] for name in decides}, {name: now[name] for name in decides})
    for room, names in made.items():
        both = [name for name in names if name in now[room]]
        there = {name: _completed(room, name, before[room][name]) for name in both}
        changed += differences(there, {name: now[room][name] for name in both}, f"{room}.")
    return changed


def _completed(room: str, name: str, fields: dict) -> dict:
    """Settings of an older version, with the defaults of those that its kind has got since.

    As they are where the kind, or one of its settings, is gone.
    """
    try:
        return _as_read(complete(room, fields, name))
    except InputError:
        return fields
