import errno

import pytest

from slm_jax.errors import InputError
from slm_jax.files import atomic_path, read_json, read_jsonl, sha256, write_json, write_jsonl


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "no space left")

    with pytest.raises(OSError, match="no space left"):
        fail()
    assert read_json(path) == {"x": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_what_json_cannot_say_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_jsonl_goes_and_comes(tmp_path):
    rows = [{"a": "é"}, {"b": [1, 2]}]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert read_jsonl(tmp_path / "rows.jsonl") == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n{"a": \n', "rows.jsonl, line 2: not valid JSON"),
        (b"\n[1, 2]\n", "rows.jsonl, line 2: expected a JSON object"),
        (b"\xff\xfe", "rows.jsonl: not UTF-8"),
    ],
)
def test_broken_jsonl_names_file_and_line(tmp_path, content, message):
    (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_jsonl(tmp_path / "rows.jsonl")


def test_missing_and_broken_json_name_the_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: no such file"):
        read_json(tmp_path / "none.json")
    (tmp_path / "half.json").write_text("{")
    with pytest.raises(InputError, match=r"half\.json: not valid JSON"):
        read_json(tmp_path / "half.json")


def test_sha256_of_nothing(tmp_path):
    (tmp_path / "empty").touch()
    assert sha256(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
