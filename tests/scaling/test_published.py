import csv
import pathlib

import numpy as np
import pytest
from law_tables import law_loss

from slm_jax.errors import InputError
from slm_jax.scaling import (
    PUBLISHED_SPEECH_LAW,
    PUBLISHED_TABLES,
    beside_paper,
    fit,
    merge_tables,
    published_runs,
    published_table,
    read_runs,
)
from slm_jax.scaling.published.definitions import DEFINITIONS, exponents

REFERENCE = pathlib.Path(__file__).parents[3] / "shared" / "reference"


@pytest.fixture(scope="module")
def beside():
    return beside_paper(resamples=300)


def test_what_is_in_the_tables():
    speech, text = published_runs("speech"), published_runs("pythia")
    assert len(speech) == 31 and set(speech.tasks) == {"blimp", "tstorycloze", "sstorycloze"}
    assert len(text) == 105 and set(text.tasks) == {"blimp"} and len(set(text.run)) == 7
    assert np.isnan(text.loss_R).all() and not speech.measured_R.any()
    assert all("law of" in source for source in speech.loss_source)
    np.testing.assert_allclose(speech.loss_R, law_loss(speech.params_R, speech.tokens_R), atol=1e-6)
    assert published_runs("speech").notes == published_runs("pythia").notes == ()
    with pytest.raises(InputError, match="'llama'; there are speech, pythia"):
        published_table("llama")


@pytest.mark.skipif(not REFERENCE.exists(), reason="the sources of the tables are not here")
def test_the_tables_equal_their_sources():
    rows = list(csv.DictReader((REFERENCE / "slm_results.csv").open()))
    speech = published_runs("speech")
    assert speech.model == tuple(row["model"] for row in rows)
    for column, values_R in (
        ("params", speech.params_R),
        ("tokens", speech.tokens_R),
        ("sblimp_macro", speech.tasks["blimp"].accuracy_R),
        ("tstorycloze", speech.tasks["tstorycloze"].accuracy_R),
        ("sstorycloze", speech.tasks["sstorycloze"].accuracy_R),
    ):
        np.testing.assert_array_equal(values_R, [float(row[column]) for row in rows])
    rows = list(csv.DictReader((REFERENCE / "pythia_blimp.csv").open()))
    expected = {(float(row["params"]), float(row["tokens"])): float(row["blimp_accuracy"]) for row in rows}
    text = published_runs("pythia")
    found = dict(
        zip(zip(text.params_R, text.tokens_R, strict=True), text.tasks["blimp"].accuracy_R, strict=True)
    )
    assert found.keys() == expected.keys() and len(found) == len(rows) - 1  # one is listed twice
    assert all(found[key] == pytest.approx(expected[key], abs=1e-6) for key in expected)


def test_loss_predicts_accuracy_as_was_found(tmp_path):
    merge_tables([published_table(name) for name in PUBLISHED_TABLES], tmp_path / "results.csv")
    laws = fit(read_runs(tmp_path / "results.csv"), resamples=50)
    speech, text = laws["groups"]["speech"], laws["groups"]["text"]
    for task, expected in {"blimp": -0.957, "tstorycloze": -0.975, "sstorycloze": -0.860}.items():
        assert speech["tasks"][task]["correlation"]["value"] == pytest.approx(expected, abs=0.0015)
    assert speech["loss_law"] is text["loss_law"] is None
    assert "law of Cuervo & Marxer 2024" in speech["absent"]["loss_law"]
    assert text["absent"]["loss_law"] == "the table has no losses"
    assert text["tasks"]["blimp"]["correlation"] is None
    (row,) = laws["comparisons"]
    assert (row["faster"], row["slower"], row["task"]) == ("text", "speech", "blimp")


def test_the_exponents_of_speech_are_those_of_the_paper(beside):
    found = {(row["task"], row["of"]): row for row in beside["exponents"]}
    for task in ("blimp", "tstorycloze", "sstorycloze"):
        assert found[task, "speech"]["agrees"]
    assert found["blimp", "speech"]["estimate"]["value"] == pytest.approx(0.021, abs=0.001)
    assert found["tstorycloze", "speech"]["estimate"]["value"] == pytest.approx(0.025, abs=0.001)
    assert 0.03 < found["blimp", "text"]["estimate"]["value"] < 0.045  # the paper: 0.066
    assert 1.4 < found["blimp", "ratio"]["estimate"]["value"] < 2.2  # the paper: 3.14
    assert found["blimp", "ratio"]["paper"] == 3.14


def test_least_squares_on_the_envelope_by_hand():
    speech = published_runs("speech")
    order = np.argsort(speech.flops_R)
    flops, accuracy = speech.flops_R[order], speech.tasks["blimp"].accuracy_R[order]
    best = [i for i in range(31) if all(accuracy[:i] < accuracy[i])]
    # Two runs that are best for their compute are beaten by one with a few percent more.
    kept = [
        i for i in best if not any(accuracy[j] > accuracy[i] and flops[j] <= 1.1 * flops[i] for j in best)
    ]
    expected = np.polyfit(np.log(flops[kept]), np.log(accuracy[kept]), 1)[0]
    row = next(row for row in exponents(resamples=20) if row["name"] == "saturated")
    assert row["speech"]["runs"] == len(kept)
    assert row["speech"]["exponent"]["value"] == pytest.approx(expected, rel=1e-6)


def test_every_definition_has_both_sides_and_says_why(beside):
    assert [row["name"] for row in beside["definitions"]] == [definition.name for definition in DEFINITIONS]
    for row in beside["definitions"]:
        assert row["speech"]["runs"] >= 5 and row["text"]["runs"] >= 5
        assert row["ratio"]["value"] == pytest.approx(
            row["text"]["exponent"]["value"] / row["speech"]["exponent"]["value"]
        )
    why = " ".join(beside["why"])
    assert all(word in why for word in ("Speech agrees: 3 of 3", "Text is flatter", "80.0%", "83.0%"))
    assert "nan" not in why


def test_the_published_law():
    assert law_loss(1e8, 1e9) == pytest.approx(
        PUBLISHED_SPEECH_LAW["E"]
        + PUBLISHED_SPEECH_LAW["A"] / 1e8 ** PUBLISHED_SPEECH_LAW["alpha"]
        + PUBLISHED_SPEECH_LAW["B"] / 1e9 ** PUBLISHED_SPEECH_LAW["beta"]
    )


def test_merged_tables_are_checked_one_by_one(tmp_path):
    (tmp_path / "bad.csv").write_text("params,tokens,loss\n125,1e9,3\n125,2e9,2.9\n")
    with pytest.raises(InputError, match=r"bad.csv, row 1.*125 million is 125000000"):
        merge_tables([published_table("speech"), tmp_path / "bad.csv"], tmp_path / "all.csv")
    assert not (tmp_path / "all.csv").exists()
