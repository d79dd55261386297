"""Every file that docs/extending.md shows, in a study so small that it says nothing."""

import os
import pathlib
import re
import runpy

import numpy as np
import pytest

from slm_jax.data import PairsDataset, UnitDataset, open_dataset
from slm_jax.errors import InputError
from slm_jax.evaluation import open_run
from slm_jax.files import read_json, read_jsonl
from slm_jax.model import Transformer, TransformerConfig, count_parameters
from slm_jax.study import Study, parse_study
from slm_jax.study.kinds import make
from slm_jax.study.making import RunMaker
from slm_jax.tokenizer import load_tokenizer

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
FILES = {found[1]: block for block in BLOCKS if (found := re.match(r"# (\w+\.py)\n", block))}
CONFIG_LINES = [block.strip() for block in BLOCKS if block not in FILES.values()]
NUMBERS = {word: number for number, word in enumerate(re.search(r'"(zero .*)"', PAGE)[1].split())}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the files, in which slm is called."""
    folder, encoder = tmp_path_factory.mktemp("extending"), (DOCS / "tokenizer.md").read_text()
    for name, code in FILES.items():
        (folder / name).write_text(code)
    encoder = encoder.split("## Your own encoder")[1]
    (folder / "contrast.py").write_text(re.search(r"```python\n(.*?)```", encoder, re.DOTALL)[1])
    before = pathlib.Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def study(files):
    """The study of the page, prepared, and the first run of its words trained and scored."""
    config = runpy.run_path(str(files / "study.py"))["get_config"]()
    config.corpora.sums.update({"texts": 90, "voices": ("us_male",)})
    config.tasks.right_sums.update({"pairs": 3, "voices": ("us_male", "us_female")})
    config.tokens.contrasts.update({"units": 6, "sample_seconds": 60.0})
    config.grid.budgets, config.grid.sizes, config.grid.min_steps = (2e9,), ("12k", "30k"), 1
    study = Study(parse_study(config), files / "study")
    study.prepare()
    jobs = study.jobs()
    RunMaker(study.config, study.folder, jobs.runs).make(jobs.runs[0])
    return study


def test_the_page_has_an_example_of_each_and_its_study_names_them():
    kinds = ("class Task", "class Corpus", "class Tokens", "def apply", "def get_config")
    assert [sum(kind in code for code in FILES.values()) for kind in kinds] == [1, 1, 1, 1, 1]
    assert len(CONFIG_LINES) == 5
    shown = squeezed(FILES["study.py"])
    for line in CONFIG_LINES:
        assert squeezed(line).rstrip("}") in shown, line


def squeezed(code: str) -> str:
    """Without what a formatter decides: spaces, ends of lines and last commas."""
    return re.sub(r",(?=[}\])])", "", re.sub(r"\s+", "", code))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\n", "the file has no dataclass Task"),
        ("class Task:\n    pass\n", "the file has no dataclass Task"),
        (FILES["right_sums.py"].replace("def recordings", "def record"), "its class Task has no recordings"),
        ("import nowhere_to_be_found\n", r"task\.py, line 1: ModuleNotFoundError"),
    ],
)
def test_what_a_file_lacks_is_named(tmp_path, code, message):
    (tmp_path / "task.py").write_text(code)
    with pytest.raises(InputError, match=message):
        make("tasks", {"kind": str(tmp_path / "task.py")}, "config.tasks.mine")


def test_a_file_with_annotations_as_text_is_read(tmp_path):
    code = "from __future__ import annotations\n" + FILES["right_sums.py"]
    (tmp_path / "task.py").write_text(code)
    assert make("tasks", {"kind": str(tmp_path / "task.py"), "pairs": 4}, "config.tasks.mine").pairs == 4


@pytest.mark.slow
def test_the_corpus_and_the_task_are_right(study):
    def is_right(sum_of_two: str) -> bool:
        left, _, right, _, total = sum_of_two.strip(" .").split()
        return NUMBERS[left] + NUMBERS[right] == NUMBERS[total]

    texts = read_jsonl(study.folder.corpus("sums") / "sums.jsonl")
    assert len(texts) == 90
    assert all(is_right(part) for row in texts for part in row["text"].split(".")[:-1])
    pairs = read_jsonl(study.folder.task("right_sums") / "pairs.jsonl")
    assert len(pairs) == 6
    assert all(is_right(row["sentence_good"]) and not is_right(row["sentence_bad"]) for row in pairs)


@pytest.mark.slow
def test_the_words_spell_the_corpus(study):
    words = read_json(study.folder.tokenizer("words") / "words.json")
    dataset = UnitDataset(study.folder.dataset("words", "sums"))
    texts = {row["id"]: row["text"] for row in read_jsonl(study.folder.corpus("sums") / "sums.jsonl")}
    seen = 0
    for split in dataset.splits:
        for example in dataset.examples(split, 0, len(dataset.lengths(split))):
            assert " ".join(words[token] for token in example["units"]) == texts[example["id"]]
            seen += 1
    assert seen == len(texts) and dataset.vocab_size == len(words) + 2


@pytest.mark.slow
def test_the_contrasts_are_those_of_the_encoder(study):
    tokenizer = load_tokenizer(study.folder.tokenizer("contrasts"))
    assert tokenizer.encoder.name == "contrast.py" and tokenizer.encoder.parameters["bands"] == 4
    assert tokenizer.centroids_KxD.shape == (6, 5)
    dataset = UnitDataset(study.folder.dataset("contrasts", "sums"))
    assert sum(len(dataset.lengths(split)) for split in dataset.splits) == 90
    pairs = open_dataset(study.folder.dataset("contrasts", "right_sums"))
    assert isinstance(pairs, PairsDataset) and len(pairs.lengths("test")) == 6 * 2 * 2


@pytest.mark.slow
def test_a_run_of_the_block_is_scored_and_opened_again(study, files, monkeypatch):
    run = study.jobs().runs[0]
    folder = study.folder.run(run.name)
    score = read_json(folder / "right_sums.json")
    assert set(score["accuracy"]["phenomena"]) == {"off by one", "off by five"}
    assert 0 < read_json(folder / "loss.json")["loss"]["total"]["nats_per_token"] < np.log(40)
    model = open_run(folder).model
    assert model.config.block == "sandwich.py"
    plain = TransformerConfig(**{**vars(model.config), "block": "sequential"})
    assert count_parameters(model.config) == run.params == count_parameters(plain) + 2 * 2 * 16
    assert np.any(model.blocks.mlp_after_NxD[...] != 1)  # it was trained
    assert isinstance(model, Transformer)
    (files / "elsewhere").mkdir()
    monkeypatch.chdir(files / "elsewhere")
    with pytest.raises(InputError, match=r"model\.block: .*sandwich\.py does not exist; paths start where"):
        open_run(folder)
