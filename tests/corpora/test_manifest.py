import json
import os
import pathlib

import pytest

from slm_jax.corpora import Recording, assign_split, find_recordings, read_manifest, scan_folder
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
        (['{"audio": "a.wav"}', '{"id": "b"}'], 'm.jsonl, record 2: no "audio" key'),
        (['{"audio": "a.wav"}', "", "{nonsense"], "m.jsonl, line 3: not valid JSON"),
        (['{"audio": 7}'], 'm.jsonl, record 1: "audio" is 7'),
        (['{"audio": ""}'], "m.jsonl, record 1: \"audio\" is ''"),
        (['{"audio": "a.wav", "speaker": null}'], '"speaker" is None'),
        (
            ['{"audio": "a.wav", "id": "x"}', "", '{"audio": "b.wav", "id": "x"}'],
            'record 2: the id "x" .*record 1',
        ),
        (['{"audio": "caf\\udce9.wav"}'], "m.jsonl, record 1: holds a lone surrogate"),
        (["", ""], "m.jsonl: the manifest is empty"),
        (['["audio"]'], "m.jsonl, line 1: expected a JSON object"),
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


def test_one_recording_in_fifty_is_for_validation():
    splits = [assign_split(f"recording-{i}") for i in range(20_000)]
    assert set(splits) == {"train", "validation"}
    assert 0.017 < splits.count("validation") / len(splits) < 0.023


def test_the_split_is_the_same_for_ever():
    """Datasets that were written with it would no longer agree with new ones."""
    assert [i for i in range(200) if assign_split(str(i)) == "validation"] == [8, 40, 107, 145]


def test_real_audio_folder():
    folder = pathlib.Path(__file__).parents[3] / "shared/data/speech"
    if not folder.is_dir():
        pytest.skip("no real recordings here")
    assert len(scan_folder(folder)) >= 6
