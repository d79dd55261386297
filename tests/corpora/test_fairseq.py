import pytest

from slm_jax.corpora import find_recordings
from slm_jax.errors import InputError


def test_a_tsv_manifest_lists_files_below_its_first_line(tmp_path):
    root = tmp_path / "LibriSpeech"
    root.mkdir()
    (tmp_path / "valid.tsv").write_text(f"{root}\n103/1240/103-1240-0000.flac\t225360\na.wav\t16000\n")
    first, second = find_recordings(tmp_path / "valid.tsv")
    assert first.path == root / "103/1240/103-1240-0000.flac"
    assert (first.id, first.speaker) == ("103/1240/103-1240-0000", "1240")
    assert (first.source, first.split) == ("LibriSpeech", "validation")
    assert (second.id, second.speaker) == ("a", "unknown")


@pytest.mark.parametrize(
    ("name", "split"), [("train", "train"), ("dev", "validation"), ("test", "test"), ("ten_hours", None)]
)
def test_the_name_of_a_tsv_manifest_decides_the_split(tmp_path, name, split):
    (tmp_path / f"{name}.tsv").write_text(".\na.wav\t16000\n")
    (recording,) = find_recordings(tmp_path / f"{name}.tsv")
    assert (recording.split, recording.path) == (split, tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/nowhere\na.wav\t1\n", "train.tsv, line 1: /nowhere is no folder"),
        (".\na.wav\t1\nb.wav 2\n", "train.tsv, line 3: expected a path, a tab and the number of frames"),
        (".\na.wav\t1.5\n", "train.tsv, line 2: expected a path"),
        (".\n\n", "train.tsv: no recordings below the first line"),
        (".\na.wav\t1\na.flac\t1\n", r'line 3: the id "a" is already that of .*train.tsv, line 2'),
    ],
)
def test_a_bad_tsv_manifest_is_refused_naming_the_line(tmp_path, text, message):
    (tmp_path / "train.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        find_recordings(tmp_path / "train.tsv")
