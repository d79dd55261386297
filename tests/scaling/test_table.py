import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_tables import write_table

from slm_jax.errors import InputError
from slm_jax.scaling import read_runs
from slm_jax.scaling.oddities import oddities

GOOD = {"model": ["a", "b"], "params": [1e6, 2e6], "tokens": [1e8, 2e8], "loss": [3.0, 2.5]}


def table(tmp_path, **changes):
    return write_table(tmp_path / "results.csv", {**GOOD, **changes})


def refusal(path) -> str:
    with pytest.raises(InputError) as error:
        read_runs(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_reads_columns_and_computes_missing_flops(tmp_path):
    runs = read_runs(table(tmp_path, flops=["", "9e14"], unique_tokens=["5e7", ""]))
    np.testing.assert_allclose(runs.flops_R, [6e14, 9e14])
    np.testing.assert_allclose(runs.unique_tokens_R, [5e7, np.nan])
    assert runs.model == ("a", "b") and runs.tasks == {} and runs.source == "results.csv"
    assert runs.measured_R.all() and oddities(runs) == []


def test_fractions_are_tasks_with_their_intervals(tmp_path):
    columns = {"pairs": [0.6, 0.7], "pairs_low": [0.5, 0.6], "pairs_high": [0.7, 0.8]}
    columns |= {"cloze": ["", 0.5], "steps": [10, 20], "seed": [0, 1], "learning_rate": [1e-3, 5e-4]}
    runs = read_runs(table(tmp_path, **columns))
    assert set(runs.tasks) == {"pairs", "cloze"} and runs.notes == ()
    np.testing.assert_allclose(runs.tasks["pairs"].low_R, [0.5, 0.6])
    np.testing.assert_allclose(runs.tasks["cloze"].accuracy_R, [np.nan, 0.5])
    assert np.isnan(runs.tasks["cloze"].high_R).all()


def test_groups_by_modality_tokenizer_and_corpus(tmp_path):
    columns = {name: values * 2 for name, values in GOOD.items()}
    columns |= {"modality": ["text", "speech", "speech", "speech"], "seed": [0, 0, 1, 1]}
    tokenizer = ["bpe", "units", "pieces", "units"]
    runs = read_runs(write_table(tmp_path / "t.csv", {**columns, "tokenizer": tokenizer}))
    sizes = {name: len(group) for name, group in runs.groups().items()}
    assert sizes == {"text": 1, "speech units": 2, "speech pieces": 1}
    corpus = ["books", "books", "stories", "stories"]
    runs = read_runs(write_table(tmp_path / "t.csv", {**columns, "corpus": corpus}))
    groups = runs.groups()
    assert {name: group.model for name, group in groups.items()} == {
        "text": ("a",),
        "speech books": ("b",),
        "speech stories": ("a", "b"),
    }
    assert groups["speech stories"].corpus == ("stories", "stories")
    assert list(read_runs(table(tmp_path)).groups()) == ["all"]


def test_losses_may_be_missing_where_there_are_accuracies(tmp_path):
    columns = {name: values for name, values in GOOD.items() if name != "loss"}
    runs = read_runs(write_table(tmp_path / "t.csv", {**columns, "pairs": [0.6, 0.7]}))
    assert np.isnan(runs.loss_R).all() and not runs.measured_R.any()
    runs = read_runs(table(tmp_path, loss=["", 2.5], pairs=[0.6, 0.7]))
    np.testing.assert_array_equal(runs.measured_R, [False, True])
    runs = read_runs(table(tmp_path, loss_source=["measured", "law of a paper"], pairs=[0.6, 0.7]))
    np.testing.assert_array_equal(runs.measured_R, [True, False])
    np.testing.assert_array_equal(runs.select([1]).measured_R, [False])
    assert "column 'loss' is missing" in refusal(write_table(tmp_path / "t.csv", columns))
    assert "row 1 (a), column 'loss'" in refusal(table(tmp_path, loss=["", 2.5]))


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"loss": [3.0, "high"]}, ["results.csv", "row 2 (b)", "'loss'", "'high' is not a number", "drop"]),
        ({"loss": [3.0, "2,5"]}, ["row 2 (b)", "'loss'", "'2,5' is not a number", "decimal point"]),
        ({"loss": [3.0, "nan"]}, ["row 2 (b)", "'loss'", "not finite", "failed", "leave the cell empty"]),
        ({"loss": [float("inf"), 2.0]}, ["row 1 (a)", "'loss'", "not finite"]),
        ({"loss": [0, 2.0]}, ["row 1 (a)", "'loss'", "must be positive", "correct it"]),
        ({"loss": [3.0, -1.2]}, ["row 2 (b)", "'loss'", "-1.2 must be positive"]),
        ({"params": [0, 2e6]}, ["row 1 (a)", "'params'", "must be positive"]),
        ({"params": ["1M", 2e6]}, ["row 1 (a)", "'params'", "'1M' is not a number", "write 1000000"]),
        ({"params": ["1_000_000", 2e6]}, ["row 1 (a)", "'params'", "is not a number"]),
        (
            {"params": [125, 350], "tokens": [2.5e9, 7e9]},
            ["row 1 (a)", "'params'", "125 million is 125000000"],
        ),
        ({"tokens": [2.5, 7]}, ["row 1 (a)", "'tokens'", "2.5 cannot be", "count"]),
        ({"unique_tokens": ["", 3.1]}, ["row 2 (b)", "'unique_tokens'", "3.1 cannot be"]),
        ({"tokens": [1e8, -5]}, ["row 2 (b)", "'tokens'", "must be positive"]),
        ({"tokens": [1e8, ""]}, ["row 2 (b)", "'tokens'", "missing", "fill it in"]),
        ({"flops": [6e14, "many"]}, ["row 2 (b)", "'flops'", "not a number"]),
        ({"flops": ["", 2.4e-3]}, ["row 2 (b)", "'flops'", "6 N D = 2.4e+15", "exaFLOPs"]),
        ({"blimp": [0.55, 58.1]}, ["row 2 (b)", "'blimp'", "not between 0 and 1", "by 100", "rename"]),
        ({"blimp": [0.55, -0.1]}, ["row 2 (b)", "'blimp'", "-0.1 is not between 0 and 1", "correct it"]),
        ({"pairs_accuracy": [51, 58]}, ["row 1 (a)", "'pairs_accuracy'", "by 100"]),
        ({"cloze": ["n/a", 0.6]}, ["row 1 (a)", "'cloze'", "'n/a' is no accuracy", "leave the cell empty"]),
        (
            {"syntax": [0.6, 0.7], "syntax_low": [0.5, 0.6], "syntax_high": [0.7, 80]},
            ["row 2 (b)", "'syntax_high'", "by 100"],
        ),
    ],
)
def test_bad_values_name_file_row_column_and_fix(tmp_path, changes, parts):
    message = refusal(table(tmp_path, **changes))
    for part in ["results.csv", *parts]:
        assert part in message


def test_a_percentage_under_any_name_is_noticed(tmp_path):
    runs = read_runs(table(tmp_path, syntax=[51.6, 58.1], layers=[6, 12], hours=[130.5, 811.0]))
    assert runs.tasks == {}
    (warning,) = oddities(runs)
    assert "'syntax' was left out: row 1 holds 51.6" in warning and "divide it by 100" in warning


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"params": [1300, 6700], "tokens": [2.6e10, 1e11]}, ["26B tokens for 1.3K parameters", "a, b"]),
        ({"tokens": [2e8, 1500]}, ["1.5K tokens for 2M parameters", "b", "not millions"]),
        ({"flops": [6e14, 24e15]}, ["10 times 6 N D for b", "unit"]),
        ({"loss": [3.0, 215.8]}, ["loss of 216 in b", "perplexity", "logarithm"]),
        ({"model": ["a", "a"], "params": [1e6, 1e6], "tokens": [1e8, 1e8]}, ["a stands", "more than once"]),
        ({"params": [1e6] * 2, "tokens": [1e8] * 2, "loss": [3, 3]}, ["same for a, b", "there twice?"]),
    ],
)
def test_what_may_be_right_is_a_warning_that_names_the_runs(tmp_path, changes, parts):
    warnings = oddities(read_runs(table(tmp_path, **changes)))
    assert len(warnings) == 1
    for part in parts:
        assert part in warnings[0]


def test_a_row_listed_twice(tmp_path):
    twice = {name: [values[0], values[1], values[1]] for name, values in GOOD.items()}
    message = refusal(write_table(tmp_path / "t.csv", twice))
    assert "row 3 (b): repeats row 2" in message and "drop one" in message
    read_runs(write_table(tmp_path / "t.csv", {**twice, "seed": [0, 0, 1]}))


@pytest.mark.parametrize("column", ["params", "tokens", "loss"])
def test_missing_column(tmp_path, column):
    columns = {name: values for name, values in GOOD.items() if name != column}
    assert f"column '{column}' is missing" in refusal(write_table(tmp_path / "t.csv", columns))


def test_a_column_of_nearly_the_name_is_pointed_out(tmp_path):
    columns = {"Params" if name == "params" else name: values for name, values in GOOD.items()}
    assert "rename 'Params' if that is it" in refusal(write_table(tmp_path / "t.csv", columns))


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["is empty", "header"]),
        (b"\xef\xbb\xbf \n", ["is empty"]),
        (b"params,tokens,loss\n", ["0 row(s)"]),
        (b"params,tokens,loss\n1e6,1e8,3\n", ["1 row(s)"]),
        (b"params,tokens,loss\n1e6,1e8,3\n1e6,2e8\n", ["row 2", "2 values", "3 columns"]),
        (b"params,tokens,loss\n1e6,1e8,3\n1e6,2e8,3,9\n", ["row 2", "4 values"]),
        (b"params,tokens,loss,loss\n1e6,1e8,3,3\n1e6,2e8,3,3\n", ["'loss' appears twice", "rename"]),
        (b"params,tokens,loss,\n1e6,1e8,3,7\n1e6,2e8,3,\n", ["column 4 has no name"]),
        (b"params;tokens;loss\n1e6;1e8;3,1\n1e6;2e8;3\n", ["separated by semicolons", "commas"]),
        (b"params\ttokens\tloss\n1e6\t1e8\t3\n", ["separated by tabs"]),
        ("params,tokens,loss\n".encode("utf-16"), ["UTF-16", "save it as CSV (UTF-8)"]),
        (b"params,tokens,loss\n1e6,1e8,3\n1e6,2e8,\xe9\n", ["line 3", "not a CSV table in UTF-8"]),
        (b"PK\x03\x04rest", ["is a spreadsheet", "save it as CSV"]),
        (b'params,tokens,loss\n1e6,1e8,"3\n', ["not a CSV table"]),
    ],
)
def test_bad_files(tmp_path, content, parts):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    message = refusal(path)
    for part in ["bad.csv", *parts]:
        assert part in message


def test_files_that_are_none(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.csv")
    assert "is a folder" in refusal(tmp_path)


def test_a_byte_order_mark_spaces_and_blank_lines_do_no_harm(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbfparams, tokens ,loss,\r\n\r\n1e6, 1e8,3,\r\n2e6,2e8,2.5,\r\n")
    runs = read_runs(path)
    np.testing.assert_allclose(runs.params_R, [1e6, 2e6])
    np.testing.assert_allclose(runs.loss_R, [3, 2.5])


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), max_size=12))
def test_any_text_is_a_table_or_one_sentence(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_text("params,tokens,loss\n" + ",".join(cells), encoding="utf-8", newline="")
    try:
        read_runs(path)
    except InputError as error:
        assert str(path) in str(error)
