"""Quality of units against scikit-learn, closed forms, and tokenizers trained on speech."""

import itertools

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics

from slm_jax.corpora import Recording, Utterance, read_manifest, speak
from slm_jax.corpora.phones import Phone
from slm_jax.corpora.stories import distinct_stories
from slm_jax.errors import InputError
from slm_jax.tokenizer import MFCC, HuBERT, Tokenizer, fit_tokenizer
from slm_jax.tokenizer.quality import measure_quality, quality, quality_table
from slm_jax.tokenizer.quality.counts import cluster_purity, entropy, information_share, label_purity
from slm_jax.tokenizer.quality.measure import frame_labels, frame_middles

COUNTS = arrays.arrays(
    np.int64, st.tuples(st.integers(1, 6), st.integers(1, 7)), elements=st.integers(0, 9)
).filter(lambda counts_LxK: counts_LxK.sum() > 0)


def spread(counts_LxK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and units of frames that have these counts."""
    labels_N, units_N = np.indices(counts_LxK.shape).reshape(2, -1)
    return np.repeat(labels_N, counts_LxK.ravel()), np.repeat(units_N, counts_LxK.ravel())


@given(COUNTS)
@settings(max_examples=60, deadline=None)
def test_measures_are_scikit_learns(counts_LxK):
    labels_M, units_M = spread(counts_LxK)
    np.testing.assert_allclose(
        information_share(counts_LxK) * entropy(counts_LxK.sum(1)),
        metrics.mutual_info_score(labels_M, units_M),
        atol=1e-9,
    )
    if len(set(labels_M)) > 1:  # with one label scikit-learn says 1: nothing is uncertain
        np.testing.assert_allclose(
            information_share(counts_LxK), metrics.homogeneity_score(labels_M, units_M), atol=1e-9
        )
    majority = [np.bincount(labels_M[units_M == unit]).max() for unit in set(units_M)]
    assert label_purity(counts_LxK) == pytest.approx(sum(majority) / len(labels_M))


@given(COUNTS)
@settings(max_examples=60, deadline=None)
def test_measures_lie_within_their_bounds(counts_LxK):
    share = counts_LxK.sum(1).max() / counts_LxK.sum()
    assert share <= label_purity(counts_LxK) <= 1
    assert counts_LxK.sum(0).max() / counts_LxK.sum() <= cluster_purity(counts_LxK) <= 1
    assert 0 <= information_share(counts_LxK) <= 1
    assert label_purity(counts_LxK.T) == cluster_purity(counts_LxK)
    merged_Lx1 = counts_LxK.sum(1, keepdims=True)
    assert information_share(merged_Lx1) == pytest.approx(0, abs=1e-9)
    assert label_purity(merged_Lx1) <= label_purity(counts_LxK) + 1e-12


def test_units_that_are_phones_are_perfect_and_a_constant_unit_says_nothing():
    rng = np.random.default_rng(0)
    symbols = np.array(["sil", "a", "b", "k"])
    units = [rng.choice(4, size=50, p=[0.4, 0.3, 0.2, 0.1]) for _ in range(12)]
    phones = [symbols[units_T] for units_T in units]
    perfect = quality(units, phones, k=4)
    assert [perfect[name] for name in ("phone_purity", "cluster_purity")] == [1, 1]
    assert perfect["pnmi"] == pytest.approx(1) and perfect["phones"] == 4
    constant = quality([np.zeros(50, int)] * 12, phones, k=4)
    assert constant["pnmi"] == pytest.approx(0, abs=1e-12)
    assert constant["phone_purity"] == pytest.approx(max(np.bincount(np.concatenate(units))) / 600)
    assert (constant["cluster_purity"], constant["units_in_use"], constant["perplexity"]) == (1, 1, 1)


def test_uniform_units_have_the_entropy_of_a_die():
    result = quality([np.tile(np.arange(6), 5)], k=8)
    assert result["entropy"] == pytest.approx(np.log(6)) and result["perplexity"] == pytest.approx(6)
    assert (result["units_in_use"], result["frames"], result["recordings"]) == (6, 30, 1)
    assert not {"pnmi", "speaker_information", "speaker_accuracy"} & result.keys()


def test_frames_without_a_phone_do_not_count():
    units = [np.array([0, 1, 1, 0]), np.array([1, 1])]
    phones = [np.array(["a", "b", "", "a"]), None]
    result = quality(units, phones, k=2)
    assert result["pnmi"] == pytest.approx(1) and result["phone_purity"] == 1
    assert "pnmi" not in quality(units, [None, None], k=2)


def test_intervals_are_those_of_repeated_sampling():
    """The standard error that an interval is made of is the spread over corpora drawn anew."""

    def corpus(seed: int):
        rng = np.random.default_rng(seed)
        phones = [rng.integers(0, 5, 40) for _ in range(30)]
        noise = [rng.random(40) < rng.uniform(0, 0.8) for _ in phones]  # some recordings are worse
        units = [
            np.where(bad, rng.integers(0, 5, 40), labels) for bad, labels in zip(noise, phones, strict=True)
        ]
        return units, [labels.astype(str) for labels in phones]

    results = [quality(*corpus(seed), k=5, seed=seed) for seed in range(60)]
    for name in ("phone_purity", "pnmi"):
        spread_of_values = np.std([result[name] for result in results], ddof=1)
        widths = [np.diff(result[f"{name}_interval"])[0] for result in results]
        assert np.mean(widths) / (2 * 1.96) == pytest.approx(spread_of_values, rel=0.25)
        assert all(r[f"{name}_interval"][0] < r[name] < r[f"{name}_interval"][1] for r in results)


def test_units_without_a_voice_leak_nothing_and_units_with_one_leak_all():
    rng = np.random.default_rng(1)
    speakers = [["anna", "bert", "cleo"][index % 3] for index in range(60)]
    same = [rng.integers(0, 8, 100) for _ in speakers]
    plain = quality(same, None, speakers, k=24)
    assert plain["speaker_information"] < 2 * plain["speaker_information_chance"] < 0.05
    low, high = plain["speaker_accuracy_interval"]
    assert low < plain["speaker_chance"] < high and plain["speaker_chance"] == pytest.approx(1 / 3)
    own = [units_T + 8 * (index % 3) for index, units_T in enumerate(same)]
    told = quality(own, None, speakers, k=24)
    assert told["speaker_information"] == pytest.approx(1) and told["speaker_accuracy"] == 1
    assert told["speaker_information_chance"] < 0.1


def test_speakers_are_left_out_where_they_cannot_be_compared():
    units = [np.arange(5)] * 6
    assert "speaker_information" not in quality(units, None, ["one"] * 6, k=5)
    few = quality(units, None, list("abcdef"), k=5)
    assert few["speaker_information"] == pytest.approx(0, abs=1e-12) and "speaker_accuracy" not in few


@pytest.mark.parametrize(
    ("units", "phones", "speakers", "message"),
    [
        ([], None, None, "quality needs units"),
        ([np.zeros(0, int)], None, None, "quality needs units"),
        ([np.array([3])], None, None, "unit 3 is not one of k = 3"),
        ([np.array([1])], None, ["a", "b"], "speakers of 2 recordings"),
        ([np.array([1])], [np.array(["a", "b"])], None, "2 phone labels do not fit 1 frames"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(units, phones, speakers, message):
    with pytest.raises(InputError, match=message):
        quality(units, phones, speakers, k=3)


def test_a_frame_has_the_phone_at_its_middle():
    phones = [Phone(0.0, 0.05, "a"), Phone(0.05, 0.1, "b"), Phone(0.14, 0.3, "c")]
    encoder = MFCC(frame_rate=25)
    assert frame_labels(phones, frame_middles(encoder, 5)).tolist() == ["a", "b", "", "c", "c"]
    assert frame_labels(phones, frame_middles(encoder, 9))[-1] == ""


def test_frames_of_cut_recordings_have_the_times_of_their_encoder(tmp_path):
    import hubert_folders  # skips where there is no transformers

    hubert_folders.save_model(tmp_path / "model")
    encoder = HuBERT.from_folder(tmp_path / "model", layer=1, chunk_seconds=0.6)
    for seconds in (0.3, 0.6, 0.61, 5.0):
        starts_T = encoder.frame_times(round(seconds * 16_000))
        np.testing.assert_allclose(frame_middles(encoder, len(starts_T)), starts_T + 0.01, atol=1e-9)
    assert frame_middles(encoder, 30)[29] == pytest.approx(0.61)  # the first of the second chunk, not 0.59


def test_layers_of_one_encoder_are_told_apart(tmp_path, speech):
    import hubert_folders  # skips where there is no transformers

    hubert_folders.save_model(tmp_path / "model")
    centroids_KxD = np.random.default_rng(0).normal(size=(8, 32)).astype(np.float32)
    folders = [tmp_path / "km-early", tmp_path / "km-late"]
    for layer, folder in enumerate(folders, 1):
        Tokenizer(HuBERT.from_folder(tmp_path / "model", layer=layer), centroids_KxD).save(folder)
    table = quality_table(measure_quality(speech[:2], folders, workers=1)).splitlines()
    assert table[0].startswith("| tokenizer | encoder | layer | frames/s |")
    assert [line.split(" | ")[:3] for line in table[2:]] == [
        ["| km-early", "hubert", "1"],
        ["| km-late", "hubert", "2"],
    ]


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> list[Recording]:
    folder = tmp_path_factory.mktemp("speech")
    stories = itertools.islice(distinct_stories(0), 12)
    utterances = [
        Utterance(f"s{index}", story.text.split(".")[0] + ".", ("us_female", "us_male")[index % 2])
        for index, story in enumerate(stories)
    ]
    return read_manifest(speak(utterances, folder, workers=1, phones=True))


@pytest.fixture(scope="module")
def tokenizers(speech, tmp_path_factory) -> list:
    folder = tmp_path_factory.mktemp("tokenizers")
    settings = {
        "fine": (MFCC(frame_rate=50), 40),
        "coarse": (MFCC(frame_rate=50), 2),
        "speaker": (MFCC(frame_rate=50, normalization="speaker_variance"), 40),
    }
    for name, (encoder, k) in settings.items():
        fit_tokenizer(speech, encoder=encoder, k=k, sample_seconds=60, workers=1).save(folder / name)
    return [folder / name for name in settings]


def test_more_units_say_more_of_phones(speech, tokenizers, tmp_path):
    fine, coarse, by_speaker = measure_quality(speech, tokenizers, workers=1)
    assert (fine["encoder"], fine["k"], fine["frame_rate"], fine["recordings"]) == ("mfcc", 40, 50, 12)
    assert fine["pnmi"] > 0.4 > coarse["pnmi"] and fine["phone_purity"] > coarse["phone_purity"] + 0.1
    assert fine["inertia"] < coarse["inertia"] and fine["units_per_second"] > coarse["units_per_second"]
    assert by_speaker["speaker_information"] < 0.7 * fine["speaker_information"]
    assert by_speaker["pnmi"] > 0.4

    table = quality_table([fine, coarse, by_speaker]).splitlines()
    assert len(table) == 5 and table[0].count("|") == table[-1].count("|") and "PNMI" in table[0]
    assert f"{fine['pnmi']:.3f} ±" in table[2]


def test_without_labels_there_is_usage_and_leakage(speech, tokenizers, tmp_path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "noise.wav", rng.normal(0, 0.1, 16_000), 16_000)
    unknown = [
        Recording("a", tmp_path / "noise.wav", "x", "test"),
        Recording("b", speech[0].path, "y", "test"),
        Recording("c", tmp_path / "missing.wav", "y", "test"),
    ]
    (row,) = measure_quality(unknown, tokenizers[:1], workers=1)
    assert row["recordings"] == 2 and "pnmi" not in row and row["speaker_information"] > 0
    assert "PNMI" not in quality_table([row])
    with pytest.raises(InputError, match="none of the recordings"):
        measure_quality(unknown[2:], tokenizers[:1], workers=1)
