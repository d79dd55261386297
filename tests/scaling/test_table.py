import numpy as np
import pytest
from law_tables import write_table

from slm_jax.errors import InputError
from slm_jax.scaling import read_runs

GOOD = {"model": ["a", "b"], "params": [1e6, 2e6], "tokens": [1e8, 2e8], "loss": [3.0, 2.5]}


def table(tmp_path, **changes):
    return write_table(tmp_path / "results.csv", {**GOOD, **changes})


def test_reads_columns_and_computes_missing_flops(tmp_path):
    runs = read_runs(table(tmp_path, flops=["", "9e15"], unique_tokens=["5e7", ""]))
    np.testing.assert_allclose(runs.flops_R, [6e14, 9e15])
    np.testing.assert_allclose(runs.unique_tokens_R, [5e7, np.nan])
    assert runs.model == ("a", "b") and runs.tasks == {} and runs.source == "results.csv"


def test_fractions_are_tasks_with_their_intervals(tmp_path):
    runs = read_runs(
        table(
            tmp_path,
            pairs=[0.6, 0.7],
            pairs_low=[0.5, 0.6],
            pairs_high=[0.7, 0.8],
            cloze=["", 0.5],
            steps=[10, 20],
        )
    )
    assert set(runs.tasks) == {"pairs", "cloze"}
    np.testing.assert_allclose(runs.tasks["pairs"].low_R, [0.5, 0.6])
    np.testing.assert_allclose(runs.tasks["cloze"].accuracy_R, [np.nan, 0.5])
    assert np.isnan(runs.tasks["cloze"].high_R).all()


def test_groups_by_modality_and_tokenizer(tmp_path):
    columns = {name: values * 2 for name, values in GOOD.items()}
    columns |= {
        "modality": ["text", "speech", "speech", "speech"],
        "tokenizer": ["bpe", "units", "pieces", "units"],
    }
    runs = read_runs(write_table(tmp_path / "t.csv", columns))
    sizes = {name: len(group) for name, group in runs.groups().items()}
    assert sizes == {"text": 1, "speech units": 2, "speech pieces": 1}
    assert list(read_runs(table(tmp_path)).groups()) == ["all"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"loss": [3.0, "high"]}, ["results.csv", "row 2 (b)", "'loss'", "'high' is not a number"]),
        ({"loss": [3.0, "nan"]}, ["row 2 (b)", "'loss'", "not finite"]),
        ({"loss": [float("inf"), 2.0]}, ["row 1 (a)", "'loss'", "not finite"]),
        ({"params": [0, 2e6]}, ["row 1 (a)", "'params'", "must be positive"]),
        ({"tokens": [1e8, -5]}, ["row 2 (b)", "'tokens'", "must be positive"]),
        ({"tokens": [1e8, ""]}, ["row 2 (b)", "'tokens'", "missing"]),
        ({"flops": [1e15, "many"]}, ["row 2 (b)", "'flops'", "not a number"]),
    ],
)
def test_bad_values_name_file_row_and_column(tmp_path, changes, parts):
    with pytest.raises(InputError) as error:
        read_runs(table(tmp_path, **changes))
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("column", ["params", "tokens", "loss"])
def test_missing_column(tmp_path, column):
    columns = {name: values for name, values in GOOD.items() if name != column}
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        read_runs(write_table(tmp_path / "t.csv", columns))


def test_bad_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_runs(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"1 row\(s\)"):
        read_runs(write_table(tmp_path / "one.csv", {name: values[:1] for name, values in GOOD.items()}))
    path = tmp_path / "ragged.csv"
    path.write_text("params,tokens,loss\n1,2,3\n1,2\n")
    with pytest.raises(InputError, match="row 2"):
        read_runs(path)
    path.write_text("params,tokens,loss,loss\n1,2,3,3\n1,2,3,3\n")
    with pytest.raises(InputError, match="'loss' appears twice"):
        read_runs(path)
    path.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(InputError, match="not a CSV table"):
        read_runs(path)
