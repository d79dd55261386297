import json
import os
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slm_jax.corpora import (
    Recording,
    find_recordings,
    read_manifest,
    scan_folder,
    stream_recordings,
    write_manifest,
)
from slm_jax.errors import InputError
from slm_jax.files import write_jsonl


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_manifest_row_becomes_a_recording(tmp_path):
    full = {
        "audio": "wavs/a.wav",
        "id": "a",
        "speaker": "ann",
        "source": "books",
        "split": "train",
        "text": "Hello.",
        "group": "g",
        "correct": True,
    }
    write_jsonl(tmp_path / "m.jsonl", [full, {"audio": "wavs/b.c.flac"}])
    first, second = read_manifest(tmp_path / "m.jsonl")
    assert first == Recording(
        id="a",
        path=tmp_path / "wavs/a.wav",
        speaker="ann",
        source="books",
        split="train",
        text="Hello.",
        fields={"group": "g", "correct": True},
    )
    assert second == Recording(
        id="wavs/b.c", path=tmp_path / "wavs/b.c.flac", speaker="unknown", source=tmp_path.name
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"audio": "a.wav"}', '{"id": "b"}'], 'm.jsonl, line 2: no "audio" key'),
        (['{"audio": "a.wav"}', "", "{nonsense"], "m.jsonl, line 3: not valid JSON"),
        (['{"audio": 7}'], 'm.jsonl, line 1: "audio" is 7'),
        (['{"audio": ""}'], "m.jsonl, line 1: \"audio\" is ''"),
        (['{"audio": "a.wav", "speaker": null}'], '"speaker" is None'),
        (
            ['{"audio": "a.wav", "id": "x"}', "", '{"audio": "b.wav", "id": "x"}'],
            'line 3: the id "x" .*line 1',
        ),
        (['{"audio": "caf\\udce9.wav"}'], "m.jsonl, line 1: holds a lone surrogate"),
        (["", ""], "m.jsonl: the manifest is empty"),
        (['["audio"]'], "m.jsonl, line 1: expected a JSON object"),
        (['{"audio": "a.wav", "start": -1}'], 'line 1: "start" is -1; write a number of seconds, 0 or more'),
        (['{"audio": "a.wav", "start": "3"}'], "line 1: \"start\" is '3'"),
        (['{"audio": "a.wav", "start": true}'], 'line 1: "start" is True'),
        (['{"audio": "a.wav", "seconds": 0}'], 'line 1: "seconds" is 0; .* more than 0'),
        (['{"audio": "a.wav", "seconds": NaN}'], 'line 1: "seconds" is nan'),
        (['{"audio": "a.wav", "seconds": null}'], 'line 1: "seconds" is None'),
        (['{"audio": "espeak:us_female"}'], 'line 1: no "text" for espeak:us_female'),
    ],
)
def test_a_bad_manifest_is_refused_naming_the_line(tmp_path, lines, message):
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path / "m.jsonl")


def test_a_folder_is_scanned_in_order(tmp_path):
    touch(
        *(
            tmp_path / name
            for name in (
                "b/2.WAV",
                "b/1.flac",
                "a.mp3",
                "c/d/x.y.opus",
                "notes.txt",
                ".hidden.wav",
                ".trash/z.wav",
                "b/.1.wav.77.tmp",
            )
        )
    )
    recordings = scan_folder(tmp_path)
    assert [(r.id, r.speaker) for r in recordings] == [
        ("a", "unknown"),
        ("b/1", "b"),
        ("b/2", "b"),
        ("c/d/x.y", "d"),
    ]
    assert {r.source for r in recordings} == {tmp_path.name}
    assert recordings[1].path == tmp_path / "b/1.flac"


def test_a_bad_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no audio files"):
        scan_folder(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        scan_folder(tmp_path / "absent")


def test_files_that_differ_only_in_suffix_keep_it(tmp_path):
    touch(tmp_path / "a.wav", tmp_path / "a.flac", tmp_path / "b.wav")
    assert [r.id for r in scan_folder(tmp_path)] == ["a.flac", "a.wav", "b"]
    touch(tmp_path / "a.wav.mp3")
    with pytest.raises(InputError, match="is already that of"):
        scan_folder(tmp_path)


def test_names_that_are_not_utf8_give_ids_and_speakers_that_are(tmp_path):
    try:
        os.mkdir(os.fsencode(tmp_path) + b"/ren\xe9")
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    os.close(os.open(os.fsencode(tmp_path) + b"/ren\xe9/caf\xe9.wav", os.O_CREAT))
    (recording,) = scan_folder(tmp_path)
    assert (recording.id, recording.speaker) == (r"ren\xe9/caf\xe9", r"ren\xe9")
    assert recording.path.exists()
    (recording,) = scan_folder(recording.path.parent)
    assert recording.source == r"ren\xe9"


def test_recordings_are_found_by_file_by_manifest_in_a_folder_and_by_scan(tmp_path):
    touch(tmp_path / "x/a.wav", tmp_path / "x/b.wav")
    assert len(find_recordings(tmp_path / "x")) == 2
    (tmp_path / "x/manifest.jsonl").write_text(json.dumps({"audio": "a.wav"}))
    assert [r.id for r in find_recordings(tmp_path / "x")] == ["a"]
    assert find_recordings(tmp_path / "x/manifest.jsonl") == find_recordings(tmp_path / "x")
    with pytest.raises(InputError, match="no such file or folder"):
        find_recordings(tmp_path / "absent")


def test_parts_of_a_file_have_a_start_an_id_of_their_own_and_a_parent(tmp_path):
    rows = [
        {"audio": "talk.wav", "start": 0, "seconds": 12.5},
        {"audio": "talk.wav", "start": 12.5},
        {"audio": "talk.wav", "start": 3, "id": "mine", "parent": "everything"},
    ]
    write_jsonl(tmp_path / "m.jsonl", rows)
    parts = read_manifest(tmp_path / "m.jsonl")
    assert [(r.id, r.start, r.seconds, r.parent) for r in parts] == [
        ("talk-0000000", 0, 12.5, "talk"),
        ("talk-0001250", 12.5, None, "talk"),
        ("mine", 3, None, "everything"),
    ]


def test_audio_that_is_no_file_is_not_looked_for_in_the_folder(tmp_path):
    rows = [
        {"audio": "espeak:us_male", "id": "a", "text": "Hello."},
        {"audio": "tfds:librispeech/train_clean100#7", "id": "b"},
    ]
    write_jsonl(tmp_path / "m.jsonl", rows)
    spoken, stored = read_manifest(tmp_path / "m.jsonl")
    assert (str(spoken.path), spoken.is_file) == ("espeak:us_male", False)
    assert (str(stored.path), stored.is_file) == ("tfds:librispeech/train_clean100#7", False)


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(
        st.builds(
            Recording,
            id=WORDS,
            path=st.sampled_from(["/a/b.wav", "/c d/\u2028.flac", "espeak:us_female", "tfds:x/train#3"]).map(
                pathlib.Path
            ),
            speaker=WORDS,
            source=WORDS,
            split=st.none() | WORDS,
            text=WORDS,
            start=st.none() | st.floats(0, 1e5),
            seconds=st.none() | st.floats(1e-3, 1e5),
            parent=WORDS,
            fields=st.dictionaries(st.sampled_from(["group", "voice"]), WORDS | st.booleans()),
        ),
        min_size=1,
        unique_by=lambda recording: recording.id,
    )
)
def test_a_written_manifest_reads_back_as_the_same_recordings(tmp_path_factory, recordings):
    path = tmp_path_factory.mktemp("manifests") / "m.jsonl"
    write_manifest(path, recordings)
    assert read_manifest(path) == recordings


def test_a_stream_begins_before_the_corpus_is_read_to_its_end(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"audio": "a.wav"}\n{"audio": "b.wav"}\nbroken\n')
    stream = stream_recordings(tmp_path / "m.jsonl")
    assert [next(stream).id, next(stream).id] == ["a", "b"]
    with pytest.raises(InputError, match="line 3: not valid JSON"):
        next(stream)
    touch(tmp_path / "wavs/a/1.wav", tmp_path / "wavs/b/2.wav")
    stream = stream_recordings(tmp_path / "wavs")
    assert next(stream).id == "a/1"
    (tmp_path / "wavs/b/2.wav").rename(tmp_path / "wavs/b/3.wav")
    assert [recording.id for recording in stream] == ["b/3"]


def test_real_audio_folder():
    folder = pathlib.Path(__file__).parents[3] / "shared/data/speech"
    if not folder.is_dir():
        pytest.skip("no real recordings here")
    assert len(scan_folder(folder)) >= 6


@pytest.mark.parametrize("name", ["story.txt", "audio.zip"])
def test_what_is_no_manifest_is_told_apart(tmp_path, name):
    (tmp_path / name).write_text("Once upon a time.\n")
    with pytest.raises(InputError, match=rf"{name}: is neither audio nor a manifest.*for text use --text"):
        find_recordings(tmp_path / name)
