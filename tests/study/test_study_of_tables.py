"""A study of given tables, as `slm study --config=configs/studies/published.py` runs it."""

import importlib.util
import pathlib

import pytest

from slm_jax.errors import InputError
from slm_jax.files import read_json, write_json
from slm_jax.study import default_tables, run_study

CONFIG = pathlib.Path(__file__).parents[2] / "configs" / "studies" / "published.py"


@pytest.fixture(scope="module")
def config():
    spec = importlib.util.spec_from_file_location("published_config", CONFIG)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config()
    config.resamples = 100
    return config


@pytest.fixture(scope="module")
def folder(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published") / "study"
    assert run_study(config, folder) == folder / "report.html"
    return folder


def test_everything_is_there(folder):
    for name in ("plan.json", "results.csv", "laws.json", "published.json", "figures/groups_blimp.pdf"):
        assert (folder / name).exists()
    assert set(read_json(folder / "laws.json")["groups"]) == {"speech", "text"}
    assert (folder / "figures" / "loss_law_published.svg").exists()


def test_the_report_says_where_and_why_it_differs_from_the_paper(folder):
    page = (folder / "report.html").read_text()
    for words in (
        "Beside the paper",
        '<td class="n">0.066</td>',
        '<td class="n">3.14</td>',
        "Where they differ, and why",
        "Text is flatter here",
        "no checkpoint before step 3,000",
        "Runs of the lowest loss per FLOP",
        "−0.957",
        "−0.975",
        "law of Cuervo &amp; Marxer 2024",
        "To reach the best text run (0.84), speech would need",
        "tStoryCloze",
    ):
        assert words in page
    assert ">Passes<" not in page  # how much data there was is not published
    assert "2.7e+18" not in page and ">nan<" not in page


def test_tables_of_ones_own_and_again(tmp_path):
    mine, folder = tmp_path / "mine.csv", tmp_path / "own"
    rows = [f"speech,pieces,{n},{d},{0.5 * (n * d / 1e14) ** 0.02}" for n in (1e7, 1e8) for d in (1e8, 1e9)]
    mine.write_text("modality,tokenizer,params,tokens,blimp\n" + "\n".join(rows) + "\n")
    config = default_tables()
    config.tables, config.resamples = ("speech", str(mine)), 20
    page = run_study(config, folder).read_text()
    groups = set(read_json(folder / "laws.json")["groups"])
    assert groups == {"speech mhubert-25hz-k500", "speech pieces"}
    assert "Beside the paper" not in page
    before = (folder / "laws.json").read_text()
    run_study(config, folder)
    assert (folder / "laws.json").read_text() == before


def test_bad_configs_and_folders(config, tmp_path):
    with pytest.raises(InputError, match=r"config.tables is empty.*speech, pythia"):
        run_study(default_tables(), tmp_path / "a")
    with pytest.raises(InputError, match=r"config\.tabels"):
        run_study({"tables": ("speech",), "tabels": 1}, tmp_path / "a")
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file"):
        run_study({"tables": ("nowhere.csv",)}, tmp_path / "a")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("Dear")
    with pytest.raises(InputError, match="not empty"):
        run_study(config, tmp_path / "other")
    write_json(tmp_path / "trained" / "plan.json", {"config": {"grid": {}}})
    with pytest.raises(InputError, match="another kind of study"):
        run_study(config, tmp_path / "trained")
