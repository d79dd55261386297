"""Each adapter on a small tree in the published layout, with real audio."""

import json
import pathlib

import numpy as np
import pytest
import soundfile

from slm_jax.corpora import ADAPTERS, find_recordings, split_of
from slm_jax.errors import InputError
from slm_jax.tokenizer import load_recording
from slm_jax.tokenizer.audio import AudioError


def audio(path, seconds=0.02, rate=16000, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    wave_S = np.random.default_rng(len(path.name)).uniform(-0.5, 0.5, int(seconds * rate))
    soundfile.write(path, wave_S, rate, **settings)
    return path


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def by_id(recordings):
    return {recording.id: recording for recording in recordings}


def assert_missing(recording):
    with pytest.raises(AudioError, match="No such file"):
        load_recording(recording, 16000)


@pytest.fixture
def librispeech_root(tmp_path):
    for subset, speaker, chapter in (("train-clean-100", 103, 1240), ("dev-other", 116, 288044)):
        folder = tmp_path / f"LibriSpeech/{subset}/{speaker}/{chapter}"
        for index in range(2):
            audio(folder / f"{speaker}-{chapter}-000{index}.flac")
        text(
            folder / f"{speaker}-{chapter}.trans.txt",
            f"{speaker}-{chapter}-0000 CHAPTER ONE\n{speaker}-{chapter}-0002 IT IS GONE\n",
        )
    text(tmp_path / "LibriSpeech/SPEAKERS.TXT", "; a table\n")
    return tmp_path


def test_librispeech(librispeech_root):
    recordings = list(ADAPTERS["librispeech"](librispeech_root))
    assert list(ADAPTERS["librispeech"](librispeech_root / "LibriSpeech")) == recordings
    found = by_id(recordings)
    assert len(found) == 6
    first = found["103-1240-0000"]
    assert (first.speaker, first.source, first.split) == ("103", "librispeech", "train")
    assert (first.text, first.fields) == ("CHAPTER ONE", {"subset": "train-clean-100"})
    assert len(load_recording(first, 16000)) == 320
    assert found["103-1240-0001"].text is None
    assert found["116-288044-0001"].split == "validation"
    assert_missing(found["103-1240-0002"])  # it has a transcript, so it is listed


def test_a_broken_transcript_is_named(librispeech_root):
    (path,) = librispeech_root.glob("LibriSpeech/train*/*/*/*.txt")
    text(path, "103-1240-0000 A\n103-1240-0001\n")
    with pytest.raises(InputError, match=r"103-1240.trans.txt, line 2: expected an id and its text"):
        list(ADAPTERS["librispeech"](librispeech_root))


@pytest.fixture
def librilight_root(tmp_path):
    for subset, speaker in (("small", 100), ("medium", 200)):
        folder = tmp_path / f"{subset}/{speaker}/sea_fairies_0812_librivox_64kb_mp3"
        for name in ("01_baum", "02_baum_1234"):
            if (subset, name) != ("medium", "02_baum_1234"):
                audio(folder / f"{name}.flac", seconds=0.3)
            metadata = {
                "speaker": str(speaker),
                "book_meta": {"id": "2512"},
                "voice_activity": [[0.0, 0.1], [0.15, 0.28]],
            }
            text(folder / f"{name}.json", json.dumps(metadata))
    return tmp_path


def test_librilight_whole_files(librilight_root):
    found = by_id(ADAPTERS["librilight"](librilight_root))
    book = "sea_fairies_0812_librivox_64kb_mp3"
    assert len(found) == 4
    assert found[f"100/{book}/01_baum"].speaker == "100"
    assert {r.source for r in found.values()} == {"librilight"}
    assert all(r.parent is None for r in found.values())  # 02_baum_1234 has metadata: it is no piece
    assert_missing(found[f"200/{book}/02_baum_1234"])
    small = list(ADAPTERS["librilight"](librilight_root / "small"))
    assert small == [r for r in found.values() if r.speaker == "100"]


def test_librilight_voice_activity(librilight_root):
    recordings = list(ADAPTERS["librilight"](librilight_root / "small", voice_activity=True))
    assert [(r.start, pytest.approx(r.seconds)) for r in recordings] == [(0, 0.1), (0.15, 0.13)] * 2
    assert recordings[1].id.endswith("/01_baum-0000015")
    assert split_of(recordings[0]) == split_of(recordings[1])
    assert len(load_recording(recordings[1], 16000)) == 0.13 * 16000
    (path,) = librilight_root.glob("small/*/*/01_baum.json")
    text(path, '{"speaker": "100"}')
    with pytest.raises(InputError, match=r'01_baum.json: no list of \[start, end\] under "voice_activity"'):
        list(ADAPTERS["librilight"](librilight_root / "small", voice_activity=True))


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_librilight_pieces_of_its_cut_script(tmp_path, suffix):
    for index in range(3):
        audio(tmp_path / f"100/2512/01_baum_64kb_000{index}.{suffix}")
    pieces = list(ADAPTERS["librilight"](tmp_path))
    assert [piece.id for piece in pieces] == [f"100/2512/01_baum_64kb_000{index}" for index in range(3)]
    assert {(piece.speaker, piece.parent) for piece in pieces} == {("100", "100/2512/01_baum_64kb")}
    assert len({split_of(piece) for piece in pieces}) == 1


def swc(*sentences, reader="Ann"):
    def word(value, start):
        times = "" if start is None else f' start="{start}" end="{start + 100}"'
        return f'<t>{value}<n pronunciation="{value.lower()}"{times}/></t>'

    body = "".join(f"<s>{''.join(word(*each) for each in sentence)}</s>" for sentence in sentences)
    return f'<article><meta><prop key="reader.name" value="{reader}"/></meta><d><p>{body}</p></d></article>'


def test_spoken_wikipedia_is_cut_between_aligned_sentences(tmp_path):
    article = tmp_path / "english/Universal_suffrage"
    audio(article / "audio.ogg", seconds=6.0, subtype="VORBIS")
    sentences = [
        [("Once", 500), ("more", None)],
        [("Hello", None), ("world", 1900)],
        [("Not", None), ("aligned", None)],
        [("Bye", 5200)],
    ]
    text(article / "aligned.swc", swc(*sentences))
    parts = list(ADAPTERS["spoken_wikipedia"](tmp_path, max_seconds=2.0))
    # A part ends where a sentence begins, or at 2 s where none is aligned.
    assert [(p.start, p.seconds) for p in parts] == [(0, 1.9), (1.9, 2), (3.9, 1.3), (5.2, None)]
    assert [p.text for p in parts] == ["Once more", "Hello world", None, "Bye"]
    assert [p.id for p in parts][:2] == ["Universal_suffrage-0000000", "Universal_suffrage-0000190"]
    assert {p.speaker for p in parts} == {"Ann"}
    assert len({split_of(p) for p in parts}) == 1
    assert sum(len(load_recording(p, 16000)) for p in parts) == 6 * 16000


def test_spoken_wikipedia_with_several_files_has_one_time_line(tmp_path):
    article = tmp_path / "english/Universe"
    for number in (1, 2, 10):
        audio(article / f"audio{number}.ogg", seconds=2.0, rate=8000, subtype="VORBIS")
    text(article / "aligned.swc", swc([("One", 900)], [("Two", 2800)], [("Ten", 5100)]))
    parts = list(ADAPTERS["spoken_wikipedia"](tmp_path, max_seconds=1.5))
    assert [(p.path.name, p.start, p.text) for p in parts] == [
        ("audio1.ogg", 0, None),
        ("audio1.ogg", 0.9, "One"),
        ("audio2.ogg", 0, None),
        ("audio2.ogg", 0.8, "Two"),
        ("audio10.ogg", 0, None),
        ("audio10.ogg", 1.1, "Ten"),
    ]
    assert {p.parent for p in parts} == {"Universe"}


def test_spoken_wikipedia_without_alignment_or_audio(tmp_path):
    audio(tmp_path / "english/A/audio.ogg", seconds=1.0, subtype="VORBIS")
    text(tmp_path / "english/B/info.json", "{}")
    (tmp_path / "english/C").mkdir()
    whole, missing = ADAPTERS["spoken_wikipedia"](tmp_path / "english", max_seconds=0.5)
    assert (whole.id, whole.speaker, whole.start) == ("A", "unknown", None)
    assert missing.id == "B"
    assert_missing(missing)
    text(tmp_path / "english/A/aligned.swc", "<article>")
    with pytest.raises(InputError, match=r"A/aligned.swc: not valid XML"):
        list(ADAPTERS["spoken_wikipedia"](tmp_path))


def test_spoken_wikipedia_keeps_the_files_after_a_broken_one(tmp_path):
    article = tmp_path / "english/D"
    text(article / "audio1.ogg", "no audio")
    audio(article / "audio2.ogg", seconds=1.0, subtype="VORBIS")
    text(article / "aligned.swc", swc([("One", 900)]))
    assert [r.id for r in ADAPTERS["spoken_wikipedia"](tmp_path)] == ["D/audio1", "D/audio2"]


@pytest.fixture
def tedlium_root(tmp_path):
    root = tmp_path / "TEDLIUM_release-3"
    for folder, talk in (
        ("legacy/train", "ATalk_2010"),
        ("legacy/dev", "BTalk_2011"),
        ("data", "ATalk_2010"),
    ):
        audio(root / folder / f"sph/{talk}.sph", seconds=0.5, format="NIST", subtype="PCM_16")
        text(
            root / folder / f"stm/{talk}.stm",
            f"{talk} 1 {talk} 0.05 0.25 <o,f0,male> and it 's <unk> good\n"
            f"{talk} 1 inter_segment_gap 0.25 0.3 <o,,unknown> ignore_time_segment_in_scoring\n"
            f";; a comment\n"
            f"{talk} 1 {talk} 0.3 0.5 <NA> thank you\n",
        )
    return root


def test_tedlium3(tedlium_root):
    recordings = list(ADAPTERS["tedlium3"](tedlium_root))
    assert list(ADAPTERS["tedlium3"](tedlium_root.parent)) == recordings
    assert [(r.id, r.split, r.start, r.seconds) for r in recordings] == [
        ("ATalk_2010-0000005", "train", 0.05, 0.2),
        ("ATalk_2010-0000030", "train", 0.3, 0.2),
        ("BTalk_2011-0000005", "validation", 0.05, 0.2),
        ("BTalk_2011-0000030", "validation", 0.3, 0.2),
    ]
    assert recordings[0].text == "and it 's <unk> good"
    assert (recordings[0].speaker, recordings[0].source) == ("ATalk_2010", "tedlium3")
    whole_S, _ = soundfile.read(recordings[0].path, dtype="float32")
    assert np.array_equal(load_recording(recordings[0], 16000), whole_S[800:4000])


def test_tedlium3_folders_without_splits(tedlium_root):
    recordings = list(ADAPTERS["tedlium3"](tedlium_root / "data"))
    assert len(recordings) == 2
    assert {(r.split, split_of(r)) for r in recordings} == {(None, split_of(recordings[0]))}
    assert {r.split for r in ADAPTERS["tedlium3"](tedlium_root / "legacy/dev")} == {"validation"}


def test_tedlium3_problems(tedlium_root):
    (tedlium_root / "legacy/dev/sph/BTalk_2011.sph").unlink()
    assert_missing(list(ADAPTERS["tedlium3"](tedlium_root))[-1])
    for line in ("ATalk 1 ATalk 3.0 2.0 <NA> x", "ATalk 1 ATalk one 2.0 <NA> x", "ATalk 1"):
        text(tedlium_root / "legacy/train/stm/ATalk_2010.stm", f"\n{line}\n")
        with pytest.raises(InputError, match=r"ATalk_2010.stm, line 2: expected NAME CHANNEL"):
            list(ADAPTERS["tedlium3"](tedlium_root))


def document(id, count, **changes):
    data = {
        "duration_ms": [20] * count,
        "label": [f"text {index}" for index in range(count)],
        "name": [f"{id}/{id}_{index:05d}.flac" for index in range(count)],
    }
    return json.dumps({"audio_document_id": id, "training_data": data | changes}) + "\n"


def test_peoples_speech(tmp_path):
    text(tmp_path / "train/clean.json", document("talk", 2) + document("show", 1))
    text(tmp_path / "validation/validation.json", document("news", 1))
    audio(tmp_path / "train/clean/talk/talk_00000.flac")
    audio(tmp_path / "train/talk/talk_00001.flac")
    audio(tmp_path / "validation/news/news_00000.flac")
    recordings = list(ADAPTERS["peoples_speech"](tmp_path))
    assert [(r.id, r.split, r.speaker, r.text) for r in recordings] == [
        ("talk/talk_00000", "train", "talk", "text 0"),
        ("talk/talk_00001", "train", "talk", "text 1"),
        ("show/show_00000", "train", "show", "text 0"),
        ("news/news_00000", "validation", "news", "text 0"),
    ]
    for index in (0, 1, 3):
        assert len(load_recording(recordings[index], 16000)) == 320
    assert_missing(recordings[2])


def test_peoples_speech_with_one_manifest(tmp_path):
    text(tmp_path / "flac_train_manifest.jsonl", document("talk", 2))
    assert [r.split for r in ADAPTERS["peoples_speech"](tmp_path)] == ["train", "train"]
    (tmp_path / "flac_train_manifest.jsonl").rename(tmp_path / "mine.jsonl")
    recordings = list(ADAPTERS["peoples_speech"](tmp_path))
    assert [r.split for r in recordings] == [None, None]
    assert {r.parent for r in recordings} == {"talk"}
    for changes in ({"label": ["one"]}, {"name": None}):
        text(tmp_path / "mine.jsonl", document("talk", 2) + document("show", 2, **changes))
        with pytest.raises(InputError, match=r'mine.jsonl, line 2: expected "training_data" with lists'):
            list(ADAPTERS["peoples_speech"](tmp_path))


def test_voxpopuli_sessions_and_pieces(tmp_path):
    audio(tmp_path / "raw_audios/en/2019/20190114-0900-PLENARY-3_en.ogg", subtype="VORBIS")
    audio(tmp_path / "raw_audios/de/2019/20190114-0900-PLENARY-3_de.ogg", subtype="VORBIS")
    (session,) = ADAPTERS["voxpopuli"](tmp_path)
    assert (session.id, session.speaker) == ("20190114-0900-PLENARY-3_en", "unknown")
    assert list(ADAPTERS["voxpopuli"](tmp_path / "raw_audios")) == [session]
    for index in range(2):
        name = f"20190114-0900-PLENARY-3_en_{index}.ogg"
        audio(tmp_path / "unlabelled_data/en/2019" / name, subtype="VORBIS")
    with pytest.raises(InputError, match="holds the same speech as raw_audios and unlabelled_data"):
        list(ADAPTERS["voxpopuli"](tmp_path))
    pieces = list(ADAPTERS["voxpopuli"](tmp_path / "unlabelled_data"))
    assert {piece.parent for piece in pieces} == {session.id}
    assert {split_of(piece) for piece in pieces} == {split_of(session)}


def test_voxpopuli_transcribed(tmp_path):
    folder = tmp_path / "transcribed_data/en"
    header = "id\traw_text\tnormalized_text\tspeaker_id\tsplit\tgender\n"
    first, second = (f"20170314-0900-PLENARY-15-en_20170314-18:23:{s}_1" for s in ("14", "29"))
    audio(folder / f"2017/{first}.ogg", subtype="VORBIS")
    text(folder / "asr_train.tsv", f'{header}{first}\tMr "X"!\tmr x\t124746\ttrain\tmale\n')
    text(folder / "asr_dev.tsv", f"{header}{second}\tYes.\tyes\t\tdev\tNA\n")
    train, dev = ADAPTERS["voxpopuli"](tmp_path)
    assert (train.id, train.split, train.speaker, train.text) == (first, "train", "124746", "mr x")
    assert len(load_recording(train, 16000)) == 320
    assert (dev.split, dev.speaker) == ("validation", "unknown")
    assert_missing(dev)
    text(folder / "asr_test.tsv", f"{header}\n{first} only\n")
    with pytest.raises(InputError, match=r"asr_test.tsv, line 3: expected the columns id"):
        list(ADAPTERS["voxpopuli"](tmp_path))


def test_tinystories(tmp_path):
    stories = ["Once there was a fox.\n\nIt slept.", "The end of <b>it</b>."]
    text(tmp_path / "TinyStories-train.txt", "\n<|endoftext|>\n".join(stories))
    text(tmp_path / "TinyStories-valid.txt", "A goose.<|endoftext|>")
    recordings = list(ADAPTERS["tinystories"](tmp_path))
    assert [(r.text, r.split) for r in recordings] == [
        ("Once there was a fox. It slept.", "train"),
        ("The end of <b>it</b>.", "train"),
        ("A goose.", "validation"),
    ]
    assert {(str(r.path), r.speaker, r.source) for r in recordings} == {
        ("espeak:us_female", "us_female", "tinystories")
    }
    assert len(load_recording(recordings[2], 16000)) > 3000
    assert list(ADAPTERS["tinystories"](tmp_path / "TinyStories-train.txt")) == recordings[:2]
    text(tmp_path / "TinyStoriesV2-GPT4-train.txt", "Another.")
    with pytest.raises(InputError, match=r"TinyStories-train.txt and TinyStoriesV2-GPT4-train.txt are both"):
        list(ADAPTERS["tinystories"](tmp_path))


@pytest.mark.parametrize("name", ADAPTERS)
def test_another_folder_is_refused_with_the_layout_it_should_have(tmp_path, name):
    audio(tmp_path / "something/else.wav")
    with pytest.raises(InputError, match=rf"{tmp_path.name}: holds nothing of it; looked for "):
        list(ADAPTERS[name](tmp_path))
    with pytest.raises(InputError, match=r"none: no such folder; looked for"):
        list(ADAPTERS[name](tmp_path / "none"))


def test_a_corpus_is_found_by_its_name_and_folder(librispeech_root):
    found = find_recordings(f"librispeech:{librispeech_root}")
    assert found == list(ADAPTERS["librispeech"](librispeech_root))
    with pytest.raises(InputError, match=r"CORPUS:FOLDER with a corpus of librispeech, librilight"):
        find_recordings(pathlib.Path("librispeach:data"))
