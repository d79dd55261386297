"""The examples of a study: of a tiny one whose speech is made here, and of its trained models."""

import io
import types

import numpy as np
import pytest
import soundfile
from tiny_study import tiny_study

from slm_jax.errors import InputError
from slm_jax.files import read_json
from slm_jax.study import parse_study, plan_grid
from slm_jax.study.examples import write_examples
from slm_jax.study.examples.clips import Clips, beginning, left_out_if_it_fails
from slm_jax.study.examples.continuations import _begun_text, models_to_hear
from slm_jax.study.folder import StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.making import RunMaker
from slm_jax.study.preparation import Preparation

RATE = 16_000


def tiny_config():
    return parse_study(tiny_study())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder of a study with its texts, tokenizers and datasets."""
    folder = StudyFolder(tmp_path_factory.mktemp("study"))
    preparation = Preparation(tiny_config(), folder)
    preparation.write()
    preparation.tokenize()
    return folder


def index_of(folder: StudyFolder) -> dict:
    return read_json(folder.path / "examples" / "examples.json")


def groups_of(folder: StudyFolder) -> dict:
    return {group["title"]: group["clips"] for group in index_of(folder)["groups"]}


def sound(folder: StudyFolder, clip: dict) -> np.ndarray:
    wave_S, rate = soundfile.read(folder.path / "examples" / clip["file"], dtype="float32")
    assert rate == RATE and wave_S.ndim == 1
    return wave_S


def planned(arm: str, params: int, tokens: int, seed: int = 0) -> PlannedRun:
    return PlannedRun(f"{arm}-{params}-{tokens}-{seed}", "30k", 1e9, params, tokens, 10, 1e9, arm, seed)


@pytest.fixture(scope="module")
def without_models(prepared):
    write_examples(prepared, tiny_config(), [])
    return prepared, groups_of(prepared)


def test_a_corpus_is_heard_and_its_words_are_beside_it(without_models):
    folder, groups = without_models
    (clip,) = groups["The corpora"]
    first = (folder.corpus("stories") / "stories.jsonl").read_text().splitlines()[0]
    assert clip["text"].removesuffix(" …") in first and len(clip["text"].split()) > 10
    assert len(sound(folder, clip)) == pytest.approx(8 * RATE, rel=0.02)
    assert "Continuations" not in groups


def test_units_sound_like_their_recording(without_models):
    """They keep the loudness over time, and are not the recording itself."""
    folder, groups = without_models
    recording, again = groups["What the units keep"]
    assert again["title"] == "units: 30 units, 25 frames a second"
    waves = [sound(folder, clip) for clip in (recording, again)]
    frames = min(map(len, waves)) // 800
    one_F, other_F = (np.log(1e-4 + wave[: frames * 800].reshape(frames, -1).std(1)) for wave in waves)
    assert np.corrcoef(one_F, other_F)[0, 1] > 0.6
    assert recording["file"] != again["file"]


def test_minimal_pairs_are_heard_whole_the_good_one_first(without_models):
    folder, groups = without_models
    clips = groups["Minimal pairs"]
    assert len(clips) == 8
    for good, bad in zip(clips[::2], clips[1::2], strict=True):
        assert good["title"].endswith(", good") and bad["title"].endswith(", bad")
        assert good["title"].removesuffix("good") == bad["title"].removesuffix("bad")
        assert good["text"] != bad["text"] and good["voice"] == bad["voice"] == "us male"
        pairs = (folder.task("minimal_pairs") / "pairs.jsonl").read_text()
        assert f'"sentence_good": "{good["text"]}"' in pairs and f'"sentence_bad": "{bad["text"]}"' in pairs
        assert len(sound(folder, good)) > RATE


def test_examples_are_light(without_models):
    folder, _ = without_models
    sizes = [path.stat().st_size for path in (folder.path / "examples").glob("*.mp3")]
    assert max(sizes) <= 60_000 and sum(sizes) <= 1_500_000


def test_the_same_examples_are_made_once_and_the_same_again(without_models):
    folder, _ = without_models
    examples = folder.path / "examples"
    made = {path.name: path.read_bytes() for path in examples.iterdir()}
    (examples / "examples.json").touch()
    before = (examples / "examples.json").stat().st_mtime_ns
    write_examples(folder, tiny_config(), [])
    assert (examples / "examples.json").stat().st_mtime_ns == before
    (examples / "examples.json").unlink()
    write_examples(folder, tiny_config(), [])
    assert {path.name: path.read_bytes() for path in examples.iterdir()} == made


def test_another_task_is_heard_too(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(
        "slm_jax.study.examples.groups._groups",
        lambda _, config, *rest: made.append(list(config.tasks)) or [],
    )
    more = tiny_study()
    more.tasks.topic_cloze = {"kind": "topic_cloze"}
    for config in (tiny_config(), tiny_config(), parse_study(more)):
        write_examples(StudyFolder(tmp_path), config, [])
    assert made == [["minimal_pairs"], ["minimal_pairs", "topic_cloze"]]


def test_a_model_that_cannot_be_opened_is_left_out(without_models, capsys):
    folder, groups = without_models
    write_examples(folder, tiny_config(), [planned("speech", 10, 20)])
    assert "no example of what speech-10-20-0 says" in capsys.readouterr().err
    assert index_of(folder)["runs"] == ["speech-10-20-0"]
    assert groups_of(folder) == groups


def test_the_smallest_and_the_largest_model_of_each_arm():
    speech = [planned("speech", *of) for of in ((10, 90), (10, 20), (30, 50), (30, 70), (20, 10))]
    speech += [planned("speech", 30, 70, seed=1), planned("speech", 10, 20, seed=1)]
    one = planned("text", 5, 5)
    found = models_to_hear(tiny_config(), [*speech, one])
    assert [run.name for run in found] == ["speech-10-20-0", "speech-30-70-0", "text-5-5-0"]


def test_a_cut_recording_has_the_words_of_its_share():
    wave_S, text = beginning(np.ones(10 * RATE, np.float32), RATE, 4.0, "a b c d e f g h i j")
    assert len(wave_S) == 4 * RATE and text == "a b c d …"
    assert wave_S[0] == 1 and wave_S[-1] == 0
    whole_S, text = beginning(np.ones(10, np.float32), RATE, 4.0, "a b")
    assert len(whole_S) == 10 and text == "a b"


def test_text_that_no_tokenizer_writes_is_named():
    dataset = types.SimpleNamespace(directory="data/words/stories")
    with pytest.raises(InputError, match="data/words/stories: no tokenizer of its tokens can write"):
        _begun_text(dataset, types.SimpleNamespace(kind="external"))


def test_sound_that_is_too_large_leaves_no_file(tmp_path):
    clips, said = Clips(tmp_path), {"title": "", "text": "", "voice": ""}
    with pytest.raises(InputError, match="too large"):
        clips.sound(np.zeros(60 * RATE, np.float32), RATE, **said)
    assert not list(tmp_path.iterdir())
    for _ in range(30):
        clips.sound(np.zeros(11 * RATE, np.float32), RATE, **said)
    with pytest.raises(InputError, match="too large"):
        for _ in range(20):
            clips.sound(np.zeros(11 * RATE, np.float32), RATE, **said)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1_500_000


def test_other_rates_are_resampled(tmp_path):
    tone_S = 0.5 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000).astype(np.float32)
    clip = Clips(tmp_path).sound(tone_S, 24_000, title="tone", text="", voice="")
    wave_S, rate = soundfile.read(io.BytesIO((tmp_path / clip["file"]).read_bytes()))
    middle_S = wave_S[4_000:12_000]
    assert rate == RATE
    assert np.abs(np.fft.rfft(middle_S)).argmax() * RATE / len(middle_S) == pytest.approx(440, abs=4)


def test_a_failure_is_said_in_a_line(capsys):
    with left_out_if_it_fails("a clip"):
        raise RuntimeError("no\nsuch thing")
    assert capsys.readouterr().err == "  no example of a clip: no such thing\n"


@pytest.mark.slow
def test_models_go_on_from_a_prompt_and_from_nothing(prepared):
    config = tiny_config()
    runs = plan_grid(config, Preparation(config, prepared).arm_data())
    maker = RunMaker(config, prepared, runs)
    for run in runs:
        maker.train(run)
    write_examples(prepared, config, runs)
    clips = groups_of(prepared)["Continuations"]
    spoken = [clip for clip in clips if clip["title"].startswith("speech")]
    written = [clip for clip in clips if clip["title"].startswith("text")]
    assert 3 <= len(spoken) <= 4 and len(written) == 4  # from nothing, a model may end at once
    stories = (prepared.corpus("stories") / "stories.jsonl").read_text()
    for of_arm in (spoken, written):
        assert sum("from a prompt" in clip["title"] for clip in of_arm) == 2
    prompted = [clip for clip in spoken if "from a prompt" in clip["title"]]
    assert prompted[0]["text"] == prompted[1]["text"]
    assert prompted[0]["text"].removesuffix(" …") in stories and prompted[0]["text"] != " …"
    for clip in spoken:
        assert 1 < len(sound(prepared, clip)) / RATE < 11
    waves = [sound(prepared, clip) for clip in prompted]
    np.testing.assert_allclose(waves[0][: RATE // 2], waves[1][: RATE // 2], atol=0.1)  # the same prompt
    for clip in written:
        assert clip["file"] is None and clip["text"]
        if "from a prompt" in clip["title"]:
            given, _, found = clip["text"].partition(" | ")
            assert given and found and given in stories.lower()
