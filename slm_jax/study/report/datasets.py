"""The datasets and tokenizers of a study as rows."""

import pathlib

from slm_jax.data import open_dataset
from slm_jax.study.report.numbers import significant, words
from slm_jax.tokenizer import EXTERNAL, PIECES, TEXT, fingerprint, kind_of, read_config


def read_datasets(folder: pathlib.Path) -> list[dict]:
    """Every finished dataset of data/TOKENS/SOURCE."""
    rows = []
    for tokenizer in _folders(folder):
        for path in _folders(tokenizer):
            dataset = open_dataset(path)
            rows.append(
                {
                    "tokens": tokenizer.name,
                    "source": path.name,
                    "statistics": dataset.statistics(),
                    "fingerprint": dataset.fingerprint,
                }
            )
    return rows


def hours_of_speech(datasets: list[dict]) -> float:
    """Of all training splits, however many tokens each corpus was made into."""
    hours: dict[str, float] = {}
    for data in datasets:
        if "train" in data["statistics"]:
            hours[data["source"]] = max(hours.get(data["source"], 0), data["statistics"]["train"]["hours"])
    return sum(hours.values())


def read_tokenizers(folder: pathlib.Path) -> list[dict]:
    """Rows of {name, kind, facts: [(what, value)], vocabulary, fingerprint}."""
    rows = []
    for path in _folders(folder):
        config = read_config(path)
        kind, facts = _facts(config)
        fit = [(words(key), value) for key, value in config.get("fit", {}).items()]
        rows.append(
            {
                "name": path.name,
                "kind": kind,
                "facts": [(what, _written(value)) for what, value in facts],
                "fit": [(what, _written(value)) for what, value in fit],
                "vocabulary": config["vocab_size"],
                "fingerprint": fingerprint(config),
            }
        )
    return rows


def _facts(config: dict) -> tuple[str, list[tuple]]:
    kind, k = kind_of(config), config["k"]
    if kind == TEXT:
        return f"text, {config['form']}", [("lower case", config["lower_case"])]
    rate = [("frames per second", config["frame_rate"])] if config["frame_rate"] else []
    if kind == PIECES:
        return f"pieces of {config['units']['k']} units", [("pieces", k), *rate]
    if kind == EXTERNAL:
        return f"units of {config['origin']}", [("units", k), *rate]
    encoder = config["encoder"]
    name = encoder["name"].upper() if len(encoder["name"]) < 5 else encoder["name"]
    repeats = "removed" if config["collapse"] else "kept"
    settings = [(words(key), value) for key, value in encoder["parameters"].items() if key != "frame_rate"]
    return f"{k} clusters of {name} features", [*rate, ("repeats", repeats), *settings]


def _written(value) -> str:
    return significant(value, 4) if isinstance(value, float) else str(value)


def _folders(folder: pathlib.Path) -> list[pathlib.Path]:
    """Those of a folder by name, but for half-written ones; none where it does not exist."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in found if path.is_dir() and "." not in path.name]
