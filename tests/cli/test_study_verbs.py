"""`slm study` and its stages: what they ask for, and what they say of a folder that holds no study."""

import pytest

from slm_jax.files import write_json


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["study"], "give --config=FILE"),
        (["study", "CONFIG"], "give --workdir=DIR"),
        (["study", "train", "--workdir", "WORKDIR"], "holds no study (it has no plan.json)"),
        (["study", "report", "--workdir", "WORKDIR"], "holds no study (it has no plan.json)"),
        (["study", "status", "--workdir", "WORKDIR"], "holds no study (it has no plan.json)"),
        (["study", "status", "--workdir", "WORKDIR", "--config.seed=1"], "unknown argument --config.seed=1"),
    ],
)
def test_what_is_missing_is_said(words, message, tmp_path, capsys, slm):
    config = tmp_path / "study.py"
    config.write_text("from slm_jax.study import default_study as get_config\n")
    given = {"CONFIG": f"--config={config}", "WORKDIR": str(tmp_path / "none")}
    assert slm(*(given.get(word, word) for word in words)) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"config": {"tables": ["speech"]}}, "holds a study of tables"),
        ({"config": {"arms": {}}}, "config.arms is empty"),
    ],
)
def test_a_folder_of_another_kind_is_named(plan, message, tmp_path, capsys, slm):
    write_json(tmp_path / "plan.json", plan)
    assert slm("study", "status", "--workdir", tmp_path) == 2
    assert message in capsys.readouterr().err


def test_help_teaches_the_stages(capsys, slm):
    for words, taught in (
        (["study"], ["slm study prepare --config=F", "slm study status --workdir", "--at-once N"]),
        (["study", "train"], ["--distributed", "no other worker holds"]),
    ):
        with pytest.raises(SystemExit):
            slm(*words, "--help")
        printed = capsys.readouterr().out
        assert all(part in printed for part in taught)
