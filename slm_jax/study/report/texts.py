"""What the corpora and tasks of a study read like."""

import json
import pathlib

from slm_jax.files import read_jsonl

MOST_CHARACTERS = 600
MOST_PAIRS = 20  # phenomena of a task


def read_corpora(folder: pathlib.Path) -> dict[str, str]:
    """The beginning of each written corpus, by name."""
    found = {path.name: _first_text(path) for path in sorted(folder.glob("*"))}
    return {name: _shortened(text) for name, text in found.items() if text}


def read_pairs(folder: pathlib.Path) -> dict[str, list[dict]]:
    """The first pair of each phenomenon, by task: {phenomenon, good, bad}."""
    found = {}
    for path in sorted(folder.glob("*/*.jsonl")):
        first: dict[str, dict] = {}
        for row in read_jsonl(path):
            first.setdefault(row["UID"], row)
        found[path.parent.name] = [
            {"phenomenon": name, "good": row["sentence_good"], "bad": row["sentence_bad"]}
            for name, row in list(first.items())[:MOST_PAIRS]
        ]
    return found


def _first_text(corpus: pathlib.Path) -> str:
    for path in sorted(corpus.glob("*")):
        if path.suffix == ".json":
            continue
        with path.open(encoding="utf-8", errors="replace") as file:  # which may be large
            line = next((line for line in file if line.strip()), "")
        text = json.loads(line).get("text", "") if path.suffix == ".jsonl" and line else line
        if text:
            return text
    return ""


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS].rsplit(" ", 1)[0] + " …"
