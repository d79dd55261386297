import collections
import pathlib

from slm_jax.corpora import Recording, assign_split, split_of


def test_one_recording_in_fifty_is_for_validation_and_one_for_test():
    counts = collections.Counter(assign_split(f"recording-{i}") for i in range(20_000))
    assert counts.keys() == {"train", "validation", "test"}
    for split in ("validation", "test"):
        assert 0.017 < counts[split] / counts.total() < 0.023


def test_the_split_is_the_same_for_ever():
    """Datasets that were written with it would no longer agree with new ones."""
    splits = {i: assign_split(str(i)) for i in range(200)}
    assert [i for i, split in splits.items() if split == "validation"] == [8, 40, 107, 145]
    assert [i for i, split in splits.items() if split == "test"] == [180]


def test_parts_of_one_recording_share_a_split():
    def part(index, parent, split=None):
        return Recording(
            f"{parent}-{index}", pathlib.Path("a.wav"), "ann", "talks", split=split, parent=parent
        )

    for talk in range(300):
        assert {split_of(part(index, f"talk-{talk}")) for index in range(5)} == {assign_split(f"talk-{talk}")}
    assert split_of(part(0, "talk", split="train")) == "train"
    assert split_of(Recording("8", pathlib.Path("8.wav"), "ann", "talks")) == "validation"
