"""The `slm` command as a person uses it: its help, its errors, and each verb on a person's own files."""

import errno
import json
import subprocess
import sys

import numpy as np
import pytest

from slm_jax import cli


def test_tokenizing_a_folder_lists_the_broken_file(units, capsys, slm):
    assert slm("dataset", "info", units) == 0
    assert "train" in capsys.readouterr().out
    skipped = [json.loads(line) for line in (units / "skipped.jsonl").read_text().splitlines()]
    assert [row["id"] for row in skipped] == ["broken"]
    assert slm("dataset", "validate", units) == 0


CONFIG = """
from slm_jax.model import SIZES
from slm_jax.training import default_config

def get_config():
    config = default_config()
    config.tokens, config.context, config.batch_size = 2048, 16, 8
    config.model.update({"layers": 1, "dim": 16, "heads": 2, "mlp_multiple": 16})
    return config
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(CONFIG)
    return path


def test_training_on_those_units_and_exporting(units, config, tmp_path, capsys, slm):
    train = ["train", f"--config={config}", f"--config.data.path={units}", f"--workdir={tmp_path / 'run'}"]
    assert slm(*train) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["tokens"] == 2048
    assert slm("export", "--checkpoint", tmp_path / "run", "--out", tmp_path / "hf") == 0
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["vocab_size"] == 14


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.model.width=4"], "config.model.width: there is no such field"),
        (["--config.batch_sise=4"], "did you mean batch_size?"),
        (["--config.tokens.much=4"], "config.tokens has no fields"),
        (["--config.tokens=many"], "many"),
        (["--tokens=4"], "--config.field=value"),
        (["--config.model.heads=3"], "model.heads 3"),
        (["--config.mesh.data=3"], "does not fill"),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_exit_code_2(
    units, config, tmp_path, capsys, arguments, message, slm
):
    base = ["train", f"--config={config}", f"--config.data.path={units}", f"--workdir={tmp_path / 'run'}"]
    assert slm(*base, *arguments) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("slm: ")
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def get_config(:", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("x = 1", "has no get_config()"),
        ("def get_config():\n    return undefined", "NameError"),
    ],
)
def test_a_broken_config_file_is_named(tmp_path, capsys, text, message, slm):
    path = tmp_path / "broken.py"
    path.write_text(text)
    assert slm("train", f"--config={path}", f"--workdir={tmp_path / 'run'}") == 2
    error = capsys.readouterr().err
    assert f"{path}: " in error
    assert message in error


def test_a_run_that_diverges_is_one_sentence_and_final_for_launchers(units, config, tmp_path, capsys, slm):
    base = ["train", f"--config={config}", f"--config.data.path={units}", f"--workdir={tmp_path / 'run'}"]
    hot = ["--config.optimizer.peak_rate=1e30", "--config.optimizer.clip=1e30"]
    assert slm(*base, *hot) == 2
    assert "last good checkpoint" in capsys.readouterr().err
    assert slm(*base, "--config.optimizer.peak_rate=1e-3") == 2  # as the sentence says: in another --workdir
    assert "give another --workdir" in capsys.readouterr().err


def test_speaking_a_text_and_tokenizing_it_as_pairs(units, tmp_path, capsys, slm):
    pairs = [
        {
            "sentence_good": f"The {noun} is here.",
            "sentence_bad": f"The {noun} are here.",
            "UID": "agreement",
            "pairID": str(i),
        }
        for i, noun in enumerate(("cat", "dog"))
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    assert (
        slm("synthesize", "--text", tmp_path / "pairs.jsonl", "--out", tmp_path / "spoken", "--workers", 1)
        == 0
    )
    command = [
        "tokenize",
        "--audio",
        tmp_path / "spoken" / "manifest.jsonl",
        "--tokenizer",
        units,
        "--workers",
        1,
    ]
    assert slm(*command, "--out", tmp_path / "pairs") == 0
    assert "16" in capsys.readouterr().out  # 2 pairs, 2 sentences, 4 voices


def test_nothing_is_written_over_something_else(units, config, tmp_path, capsys, slm):
    base = ["train", f"--config={config}", f"--config.data.path={units}"]
    assert slm(*base, f"--workdir={units}") == 2
    assert "holds no run" in capsys.readouterr().err
    assert slm(*base, f"--workdir={tmp_path / 'run'}") == 0
    assert slm("export", "--checkpoint", tmp_path / "run", "--out", tmp_path / "run") == 2
    assert "holds something else" in capsys.readouterr().err
    (tmp_path / "runs.csv").write_text("params,tokens,loss")
    assert slm("fit", tmp_path / "runs.csv", "--out", tmp_path / "runs.csv") == 2
    assert "exists and is something else" in capsys.readouterr().err
    assert (tmp_path / "runs.csv").read_text() == "params,tokens,loss"


def test_data_repeated_often_and_a_missing_validation_split_are_said(units, config, tmp_path, capsys, slm):
    base = ["train", f"--config={config}", f"--config.data.path={units}", f"--workdir={tmp_path / 'run'}"]
    assert slm(*base, "--config.tokens=8000", "--config.data.validation_split='other'") == 0
    printed = capsys.readouterr()
    assert "passes over" in printed.err
    assert "has no split 'other'" in printed.err
    assert json.loads(printed.out)["validation_loss"] is None


def test_one_process_is_not_a_cluster(units, config, tmp_path):
    base = ["train", f"--config={config}", f"--config.data.path={units}", f"--workdir={tmp_path / 'run'}"]
    command = [sys.executable, "-m", "slm_jax", *base, "--distributed"]  # before JAX is in use
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "slm: --distributed: found no TPU pod" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_study_is_no_run(config, tmp_path, capsys, slm):
    assert slm("study", f"--config={config}", f"--workdir={tmp_path / 'study'}") == 2
    assert "slm train" in capsys.readouterr().err


def test_a_result_that_cannot_be_written_is_found_out_before_the_work(tmp_path, capsys, slm):
    assert slm("fit", tmp_path / "none.csv", "--out", tmp_path) == 2
    assert "is a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--config=none.py", "--workdir=x"], "none.py: no such config file"),
        (["tokenize", "--audio", "nowhere", "--tokenizer", "t", "--out", "o"], "nowhere"),
        (["dataset", "info", "nowhere"], "nowhere"),
        (["fit", "none.csv", "--out", "laws.json"], "none.csv"),
        (["evaluate", "--checkpoint", "nowhere", "--data", "p", "--out", "o.json"], "nowhere"),
        (["plan", "--budget", "-3"], "--budget"),
        (["fit", "x.csv", "--out", "o", "--wrong"], "unknown argument --wrong"),
    ],
)
def test_missing_files_and_wrong_flags(arguments, message, tmp_path, monkeypatch, capsys, slm):
    monkeypatch.chdir(tmp_path)
    assert slm(*arguments) == 2
    assert message in capsys.readouterr().err


def test_fitting_any_table(tmp_path, capsys, slm):
    rng = np.random.default_rng(0)
    rows = ["params,tokens,loss"]
    for params in (1e6, 3e6, 1e7, 3e7):
        for tokens in (1e7, 1e8, 1e9):
            loss = 1.7 + 400 / params**0.35 + 400 / tokens**0.3
            rows.append(f"{params:.0f},{tokens:.0f},{loss * np.exp(rng.normal(0, 0.002))}")
    (tmp_path / "runs.csv").write_text("\n".join(rows))
    command = ["fit", tmp_path / "runs.csv", "--out", tmp_path / "laws.json", "--resamples", 50]
    assert slm(*command, "--figures", tmp_path / "figures") == 0
    assert "alpha" in capsys.readouterr().out
    law = json.loads((tmp_path / "laws.json").read_text())["groups"]["all"]["loss_law"]
    assert law["alpha"]["value"] == pytest.approx(0.35, abs=0.06)
    assert list((tmp_path / "figures").glob("*.svg"))
    assert slm("plan", "--budget", 1e17, "--laws", tmp_path / "laws.json") == 0
    assert slm(*command, "--chance", "quiz=0.25") == 2
    assert "'quiz': " in capsys.readouterr().err


def test_planning_with_the_published_law(capsys, slm):
    assert slm("plan", "--budget", 1e20) == 0
    assert "1.0e+20" in capsys.readouterr().out


def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path, monkeypatch, capsys, slm):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "stories.jsonl"))

    monkeypatch.setattr("slm_jax.corpora.write_corpus", full)
    assert slm("corpus", "--out", tmp_path) == 2
    assert "stories.jsonl: the disk is full" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["", "train", "tokenize", "study", "fit", "evaluate", "synthesize", "plan"])
def test_help_teaches(verb, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*([verb] if verb else []), "--help"])
    assert stopped.value.code == 0
    assert "slm" in capsys.readouterr().out


def test_a_field_may_have_spaces_in_its_value(tmp_path, capsys):
    config = "--config=configs/studies/smoke.py"
    assert cli.main(["study", config, f"--workdir={tmp_path}", "--config.grid.budgets=(-2e9, 5e9)"]) == 2
    assert "config.grid.budgets is (-2000000000.0, 5000000000.0)" in capsys.readouterr().err
