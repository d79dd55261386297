"""Units of other projects: what their files say is what the dataset holds, and every bad line is named."""

import json
import pathlib
import shutil

import numpy as np
import pytest

from slm_jax.corpora import assign_split
from slm_jax.data import PairsDataset, UnitDataset, granularity, import_units
from slm_jax.errors import InputError
from slm_jax.tokenizer import Tokenizer

K = 30


def collapsed_units(rng: np.random.Generator, length: int) -> list[int]:
    steps = rng.integers(1, K, length)
    return (np.cumsum(steps) % K).tolist()


@pytest.fixture
def recordings() -> dict[str, list[int]]:
    rng = np.random.default_rng(0)
    return {f"speaker/recording é {i}.wav": collapsed_units(rng, rng.integers(1, 60)) for i in range(120)}


def read_all(folder: pathlib.Path) -> dict[str, dict]:
    dataset = UnitDataset(folder)
    dataset.validate()
    return {
        example["id"]: example | {"split": split}
        for split in dataset.splits
        for example in dataset.examples(split)
    }


def write_packed(folder: pathlib.Path, rows: list[dict], **preprocessing) -> pathlib.Path:
    """A shard as slm_scaling lays it out: units of 16 bits, lengths of 64, one JSON row a sample."""
    folder.mkdir(parents=True)
    units = [row.pop("units") for row in rows]
    np.concatenate(units).astype("<i2").tofile(folder / "audio.bin")
    np.array([len(row) for row in units], "<i8").tofile(folder / "audio.len")
    rows = [row | {"audio_steps": len(row_units)} for row, row_units in zip(rows, units, strict=True)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    meta = {"schema_version": 2, "num_samples": len(rows), "preprocessing": preprocessing}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


@pytest.fixture
def packed(tmp_path, recordings) -> pathlib.Path:
    splits = ["train-clean-100", "dev-clean", "test-other"]
    rows = [
        {
            "id": id,
            "units": [*units, K],
            "dataset": "libri",
            "split": splits[i % 3],
            "source_duration": len(units) / 20,
        }
        | {"speaker": None if i % 2 else f"s{i}"}
        for i, (id, units) in enumerate(recordings.items())
    ]
    special = {"vocab_size": K + 2, "eos_token": K, "pad_token": K + 1}
    write_packed(tmp_path / "packed" / "shard-00000", rows[:50], **special)
    write_packed(tmp_path / "packed" / "shard-00001", rows[50:], **special)
    return tmp_path / "packed"


def test_packed_shards(tmp_path, packed, recordings):
    assert import_units("slm_scaling", packed, tmp_path / "out", name="libri", frame_rate=25) == []
    found = read_all(tmp_path / "out")
    assert found.keys() == recordings.keys()
    for index, (id, units) in enumerate(recordings.items()):
        assert found[id]["units"].tolist() == units  # without the EOS at their end
        assert found[id]["split"] == ["train", "validation", "test"][index % 3]
        assert (found[id]["source"], found[id]["speaker"]) == (
            "libri",
            "unknown" if index % 2 else f"s{index}",
        )
        assert found[id]["seconds"] == pytest.approx(len(units) / 20)
    dataset = UnitDataset(tmp_path / "out")
    assert dataset.tokenizer == {
        "kind": "external",
        "origin": "slm_scaling",
        "frame_rate": 25,
        "k": K,
        "collapse": True,
        "eos": K,
        "pad": K + 1,
        "vocab_size": K + 2,
    }
    import_units("slm_scaling", packed / "shard-00000", tmp_path / "one", name="one")
    assert len(read_all(tmp_path / "one")) == 50


@pytest.mark.parametrize("line", ["{}|{}", "{}\t{}"], ids=["name|units", "name, tab, units"])
def test_textless_lines(tmp_path, recordings, line):
    lines = [line.format(id, " ".join(map(str, units))) for id, units in recordings.items()]
    (tmp_path / "units.txt").write_text("\n\n".join(lines))
    notes = import_units("textless", tmp_path / "units.txt", tmp_path / "out", name="x", k=K, frame_rate=25)
    assert notes == [
        "120 of 120 recordings come without durations, and with repeats removed: "
        "the hours of the dataset stay unknown"
    ]
    found = read_all(tmp_path / "out")
    assert {id: row["units"].tolist() for id, row in found.items()} == recordings
    assert all(row["split"] == assign_split(id) and row["seconds"] == 0 for id, row in found.items())
    (row,) = granularity([UnitDataset(tmp_path / "out")])
    assert row["hours"] is None and row["tokens"] == sum(map(len, recordings.values()))


@pytest.mark.parametrize("of_folder", [True, False])
def test_lines_of_fairseq_have_their_names_in_the_manifest(tmp_path, of_folder):
    (tmp_path / "valid.km").write_text("1 2 3\n4 5\n")
    (tmp_path / "valid.tsv").write_text("/audio\n84/a.flac\t16000\n84/b.flac\t8000\n")
    source = tmp_path if of_folder else tmp_path / "valid.km"
    import_units("textless", source, tmp_path / "out", name="x", k=K)
    found = read_all(tmp_path / "out")
    assert {id: row["units"].tolist() for id, row in found.items()} == {"84/a": [1, 2, 3], "84/b": [4, 5]}
    assert not of_folder or {row["split"] for row in found.values()} == {"validation"}
    (tmp_path / "valid.km").write_text("1 2 3\n")
    with pytest.raises(InputError, match=r"valid\.km: has 1 lines, but .*valid\.tsv names 2 recordings"):
        import_units("textless", source, tmp_path / "again", name="x", k=K)


def test_files_of_a_folder_say_their_split(tmp_path):
    (tmp_path / "units").mkdir()
    for name in ("train", "dev", "test", "spoken"):
        (tmp_path / "units" / f"{name}.txt").write_text(f"{name}|1 2 3\n")
    import_units("textless", tmp_path / "units", tmp_path / "out", name="x", k=K)
    assert {id: row["split"] for id, row in read_all(tmp_path / "out").items()} == {
        "train": "train",
        "dev": "validation",
        "test": "test",
        "spoken": assign_split("spoken"),
    }


WRITINGS = {
    "units": lambda units: {"units": units},
    "audio_repr": lambda units: {"audio_repr": "".join(f"<Un{unit}>" for unit in units)},
    "tokens": lambda units: {"tokens": " ".join(map(str, units))},
    "hubert": lambda units: {"hubert": " ".join(map(str, units))},
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_slamkit_rows(tmp_path, recordings, writing):
    rows = [
        {"file_name": id, **WRITINGS[writing](units), "duration": len(units) / 10}
        for id, units in recordings.items()
    ]
    (tmp_path / "tokens.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_units("slamkit", tmp_path / "tokens.jsonl", tmp_path / "out", name="x", k=K, source_name="books")
    found = read_all(tmp_path / "out")
    assert {id: row["units"].tolist() for id, row in found.items()} == recordings
    for id, units in recordings.items():
        assert found[id]["seconds"] == pytest.approx(len(units) / 10) and found[id]["source"] == "books"


def test_frames_of_each_unit_are_kept_and_give_the_seconds(tmp_path, recordings):
    rng = np.random.default_rng(1)
    frames = {id: rng.integers(1, 9, len(units)).tolist() for id, units in recordings.items()}
    rows = [{"file_name": id, "units": recordings[id], "duration": frames[id]} for id in recordings]
    (tmp_path / "features.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_units("slamkit", tmp_path / "features.jsonl", tmp_path / "out", name="x", k=K, frame_rate=50)
    for id, row in read_all(tmp_path / "out").items():
        assert row["runs"].tolist() == frames[id]
        assert row["seconds"] == pytest.approx(sum(frames[id]) / 50)


def test_units_with_repeats_are_frames(tmp_path):
    (tmp_path / "units.txt").write_text("a|1 1 1 2 2\nb|3 3 4\n")
    import_units("textless", tmp_path / "units.txt", tmp_path / "out", name="x", k=K, frame_rate=50)
    found = read_all(tmp_path / "out")
    assert UnitDataset(tmp_path / "out").tokenizer["collapse"] is False
    assert [found[id]["seconds"] for id in "ab"] == pytest.approx([5 / 50, 3 / 50])


def test_a_rare_repeat_where_chunks_join_is_no_frame(tmp_path):
    units = " ".join(map(str, [*range(K)] * 10))
    (tmp_path / "units.txt").write_text(f"a|{units} 29 0\n")
    import_units("textless", tmp_path / "units.txt", tmp_path / "out", name="x", k=K)
    assert UnitDataset(tmp_path / "out").tokenizer["collapse"] is True


def test_a_tokenizer_can_be_claimed(tmp_path, packed, tokenizer_dir):
    import_units("slm_scaling", packed, tmp_path / "out", name="x", tokenizer_dir=tokenizer_dir)
    dataset = UnitDataset(tmp_path / "out")
    assert dataset.tokenizer_fingerprint == Tokenizer.load(tokenizer_dir).fingerprint
    (tmp_path / "frames.txt").write_text("a|1 1 1 2 2\n")
    for change, message in [
        ({"k": 40}, "k is 30 or 40"),
        ({"frame_rate": 50}, "frame_rate is 25 or 50"),
        ({}, "repeats units, but the tokenizer in .* collapses repeats"),
    ]:
        with pytest.raises(InputError, match=message):
            import_units(
                "textless",
                tmp_path / "frames.txt",
                tmp_path / "no",
                name="x",
                tokenizer_dir=tokenizer_dir,
                **change,
            )
    assert not (tmp_path / "no").exists()


def test_units_of_one_origin_share_a_tokenizer(tmp_path, recordings):
    (tmp_path / "units.txt").write_text("a|1 2 3\n")
    fingerprints = []
    for index, origin in enumerate(["HuBERT", "HuBERT", "mHuBERT"]):
        out = tmp_path / str(index)
        import_units("textless", tmp_path / "units.txt", out, name=f"x{index}", k=K, origin=origin)
        fingerprints.append(UnitDataset(out).tokenizer_fingerprint)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_candidates_become_a_pairs_dataset(tmp_path):
    rows = [
        {"id": f"{group}-{correct}", "units": [group + 1, 2 * group, K], "group": f"g{group}"}
        | {"phenomenon": "agreement", "voice": "v", "correct": correct}
        for group in range(3)
        for correct in (True, False)
    ]
    write_packed(tmp_path / "packed", rows, eos_token=K)
    import_units("slm_scaling", tmp_path / "packed", tmp_path / "out", name="pairs")
    candidates = PairsDataset(tmp_path / "out").candidates()
    assert [(c.group, c.correct) for c in candidates] == [(row["group"], row["correct"]) for row in rows]
    with pytest.raises(
        InputError, match=r"samples\.jsonl, line 7: minimal pairs and plain recordings are mixed"
    ):
        shutil.rmtree(tmp_path / "packed")
        write_packed(
            tmp_path / "packed",
            [*({**row, "units": [1]} for row in rows), {"id": "x", "units": [1]}],
            eos_token=K,
        )
        import_units("slm_scaling", tmp_path / "packed", tmp_path / "mixed", name="pairs")


BAD_LINES = [
    ("textless", "a|1 2\nb 3\n", "line 2: expected `name|1 2 3`"),
    ("textless", "a|1 2\n|3\n", "line 2: expected `name|1 2 3`"),
    ("textless", "a|1 2\n\nb|1 x\n", "line 3: expected units as whole numbers, found '1 x'"),
    ("textless", "a|1 2\nb|\n", "line 2: holds no units"),
    ("textless", "a|1 2\nb|-1\n", "line 2: the units must be whole numbers from 0 to 65535"),
    ("textless", "a|1 2\nb|70000\n", "line 2: the units must be whole numbers from 0 to 65535"),
    ("textless", "a|1 2\na|3\n", "line 2: id 'a' occurs before"),
    ("textless", "a|1 2\nb|1 30 2\n", "line 2: holds the number 30, but units are 0..29, with EOS 30"),
    ("textless", "a|1 2\nb|1 32\n", "line 2: holds the number 32"),
    ("textless", "a|1 2\nb|30 31\n", "line 2: holds no unit in 0..29"),
    ("textless", "", "has no records"),
    ("slamkit", '{"id": "a", "units": [1]}\n{"id": "b"', "line 2: not valid JSON"),
    ("slamkit", "[1, 2]\n", "line 1: expected a JSON object"),
    ("slamkit", '{"id": "a"}\n', "line 1: has no field units, audio_repr, tokens or hubert"),
    ("slamkit", '{"units": [1]}\n', "line 1: has no name"),
    ("slamkit", '{"id": 3, "units": [1]}\n', "line 1: has no name"),
    ("slamkit", '{"id": "a", "units": [1, 2.5]}\n', "line 1: field 'units' holds something else than units"),
    ("slamkit", '{"id": "a", "units": [true]}\n', "line 1: field 'units' holds something else than units"),
    ("slamkit", '{"id": "a", "audio_repr": "so <Un1>"}\n', "line 1: field 'audio_repr' holds something else"),
    ("slamkit", '{"id": "a", "units": [1, 2], "duration": [3]}\n', "'duration' must have one number above 0"),
    ("slamkit", '{"id": "a", "units": [1], "duration": -3}\n', "line 1: the duration is -3"),
    ("slamkit", '{"id": "a", "units": [1], "speaker": 7}\n', "line 1: field 'speaker' is 7; give text"),
    ("slamkit", '{"id": "a", "units": [1], "group": "g"}\n', "line 1: a candidate of a minimal pair needs"),
]


@pytest.mark.parametrize(("format", "content", "message"), BAD_LINES)
def test_a_bad_line_is_named_and_nothing_is_written(tmp_path, format, content, message):
    path = tmp_path / "units.jsonl"
    path.write_text(content)
    with pytest.raises(InputError) as error:
        import_units(format, path, tmp_path / "out", name="x", k=K)
    assert message in str(error.value) and "units.jsonl" in str(error.value)
    assert [file.name for file in tmp_path.iterdir()] == ["units.jsonl"]


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "units.txt").write_bytes(b"a|1 2\n\xff|3\n")
    with pytest.raises(InputError, match="line 2: is not UTF-8"):
        import_units("textless", tmp_path / "units.txt", tmp_path / "out", name="x", k=K)


def cut_units(folder):
    (folder / "audio.bin").write_bytes((folder / "audio.bin").read_bytes()[:-2])


def cut_rows(folder):
    lines = (folder / "samples.jsonl").read_text().splitlines(keepends=True)
    (folder / "samples.jsonl").write_text("".join(lines[:-1]))


def repeat_a_row(folder):
    lines = (folder / "samples.jsonl").read_text().splitlines(keepends=True)
    (folder / "samples.jsonl").write_text("".join([*lines, lines[0]]))


def another_length(folder):
    text = (folder / "samples.jsonl").read_text()
    (folder / "samples.jsonl").write_text(text.replace('"audio_steps": ', '"audio_steps": 9', 1))


def another_vocabulary(folder):
    (folder / "meta.json").write_text(json.dumps({"vocab_size": 502}))


def negative_unit(folder):
    units = np.fromfile(folder / "audio.bin", "<i2")
    units[0] = -1
    units.tofile(folder / "audio.bin")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_units, r"audio\.bin: has \d+ bytes, but the lengths in audio\.len make"),
        (cut_rows, r"samples\.jsonl: has 49 rows, but audio\.len has 50 lengths"),
        (repeat_a_row, r"samples\.jsonl, line 51: audio\.len has only 50 lengths"),
        (another_length, r"samples\.jsonl, line 1: field 'audio_steps' is 9\d+, but audio\.len says \d+"),
        (another_vocabulary, "the shards say different vocabularies"),
        (negative_unit, r"samples\.jsonl, line 1: the units must be whole numbers"),
        (lambda folder: (folder / "audio.len").write_bytes(b"123"), r"audio\.len: has 3 bytes"),
        (lambda folder: (folder / "audio.len").unlink(), r"audio\.len: cannot be read"),
        (lambda folder: (folder / "audio.bin").unlink(), r"audio\.bin: no such file"),
        (lambda folder: (folder / "meta.json").write_text("{"), r"meta\.json: not valid JSON"),
    ],
)
def test_damaged_shards_are_named(tmp_path, packed, damage, message):
    damage(packed / "shard-00000")
    with pytest.raises(InputError, match=message):
        import_units("slm_scaling", packed, tmp_path / "out", name="x")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "kaldi"}, "format 'kaldi' is unknown; the formats are: slm_scaling, slamkit, textless"),
        ({"name": "My Units"}, "dataset name 'My Units' must be"),
        ({"k": None}, "does not say how many different units there are; give k or the tokenizer"),
        ({"k": 70_000}, "k, the number of units, must lie in"),
        ({"frame_rate": 0}, "frame_rate is 0: give the feature frames per second"),
        ({"source": "nowhere"}, "nowhere: no such file"),
        ({"source": "nowhere", "format": "slm_scaling"}, "nowhere: no meta"),
    ],
)
def test_arguments_out_of_range_are_named(tmp_path, arguments, message):
    (tmp_path / "units.txt").write_text("a|1 2 3\n")
    given = {"format": "textless", "source": tmp_path / "units.txt", "name": "x", "k": K} | arguments
    with pytest.raises(InputError, match=message):
        import_units(given.pop("format"), given.pop("source"), tmp_path / "out", **given)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"exists already|must be"):
        import_units("textless", tmp_path / "units.txt", tmp_path / "out", name="x", k=K)
