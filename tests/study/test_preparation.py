"""From a config to datasets: tokens in order, each source once, and what a folder keeps to."""

import dataclasses
import itertools
import json
import re
import types

import pytest

from slm_jax.errors import InputError
from slm_jax.files import read_json, write_json
from slm_jax.study import Study, default_study, parse_study, runner
from slm_jax.study.estimate import estimate_study
from slm_jax.study.folder import StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.holding import RunLock
from slm_jax.study.making import RunMaker
from slm_jax.study.ownership import claimed
from slm_jax.study.preparation import Preparation


def settings(*, change=None):
    study = default_study()
    study.corpora.stories = {"kind": "grammar", "stories": 20}
    study.corpora.prose = {"kind": "prose", "passages": 20}
    study.tokens.letters = {"kind": "text", "model": "characters"}
    study.tokens.words = {"kind": "text", "vocabulary": 300}
    study.tasks.minimal_pairs = {"kind": "minimal_pairs", "pairs": 1}
    study.arms.letters = {"corpus": "stories", "tokens": "letters"}
    study.arms.prose = {"corpus": "prose", "tokens": "letters"}
    if change:
        change(study)
    return study


def config(*, change=None):
    return parse_study(settings(change=change))


@pytest.fixture
def folder(tmp_path):
    return StudyFolder(tmp_path / "study")


def prepare(folder, study):
    with claimed(folder, study) as plan:
        preparation = Preparation(study, folder)
        preparation.write()
        preparation.tokenize()
        write_json(folder.path / "plan.json", plan)
    return preparation


def test_what_arms_need_is_made_and_nothing_else(folder):
    data = prepare(folder, config()).arm_data()
    made = {
        str(path.parent.relative_to(folder.path / "data")) for path in folder.path.glob("data/*/*/*.json")
    }
    assert made == {"letters/stories", "letters/prose", "letters/minimal_pairs"}
    assert not folder.tokenizer("words").exists()
    # One tokenizer, of the first corpus, for both; EOS after each story, and characters to count.
    assert data["letters"].vocab_size == data["prose"].vocab_size
    texts = [
        row["text"] for row in map(json.loads, folder.corpus("stories").glob("*.jsonl").__next__().open())
    ]
    assert 0 < data["letters"].stream_tokens <= sum(len(text) + 1 for text in texts)


def test_an_arm_of_several_corpora_trains_on_all_of_each(folder):
    def mix(study):
        study.arms.both = {"corpus": "prose", "also": ("stories",), "tokens": "letters"}

    mixed = config(change=mix)
    data = prepare(folder, mixed).arm_data()
    assert data["both"].stream_tokens == data["letters"].stream_tokens + data["prose"].stream_tokens
    made = {path.parent.name for path in folder.path.glob("data/letters/*/*.json")}
    assert made == {"stories", "prose", "minimal_pairs"}  # each encoded once
    run = PlannedRun("both-12k-1e9", "12k", 1e9, 1, 8_192, 4, 1e9, "both")
    found = RunMaker(mixed, folder, [run])._config(run).data
    assert (found.path, found.also) == (
        str(folder.dataset("letters", "prose")),
        (str(folder.dataset("letters", "stories")),),
    )


def test_what_is_there_is_not_made_again(folder):
    prepare(folder, config())
    made = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*") if path.is_file()}

    def add(study):
        study.tasks.more = {"kind": "minimal_pairs", "pairs": 2}
        study.arms.words = {"corpus": "stories", "tokens": "words"}

    prepare(folder, config(change=add))
    assert {path for path, time in made.items() if path.stat().st_mtime_ns != time} == {
        folder.path / "plan.json"
    }
    assert folder.dataset("words", "more").exists() and folder.dataset("letters", "more").exists()


def set_stories(study):
    study.corpora.stories.stories = 21


def forget_stories(study):
    del study.corpora["stories"], study.arms["letters"]
    study.fit_on = "prose"


def test_data_are_kept_to_also_when_a_config_has_them_no_more(folder):
    def drop_task(study):
        del study.tasks["minimal_pairs"]

    def other_task(study):
        study.tasks.minimal_pairs.pairs = 2

    prepare(folder, config())
    prepare(folder, config(change=drop_task))
    with pytest.raises(InputError, match=r"tasks\.minimal_pairs\.pairs: 1 there, 2 now"):
        prepare(folder, config(change=other_task))


def test_a_task_cannot_take_the_name_of_a_corpus_that_was_dropped(folder):
    def rename(study):
        study.tasks.prose = study.tasks.minimal_pairs
        del study.tasks["minimal_pairs"]
        del study.corpora["prose"]
        for arm in [name for name, arm in study.arms.items() if arm.corpus == "prose"]:
            del study.arms[arm]

    prepare(folder, config())
    with pytest.raises(InputError, match="'prose' is a corpus and a task of this folder"):
        prepare(folder, config(change=rename))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_stories, r"corpora\.stories\.stories: 20 there, 21 now"),
        (forget_stories, r"fit_on: 'stories' there, 'prose' now"),
        (lambda study: study.update({"seed": 3}), "seed: 0 there, 3 now"),
        (
            lambda study: study.tokens.letters.update({"lower_case": False}),
            r"tokens\.letters\.lower_case: True",
        ),
    ],
)
def test_other_data_are_refused_and_named(folder, change, message):
    prepare(folder, config())
    before = (folder.path / "plan.json").read_bytes()
    with pytest.raises(InputError, match=message):
        prepare(folder, config(change=change))
    assert (folder.path / "plan.json").read_bytes() == before


def claim(folder, study) -> None:
    """As `prepare`, with empty folders for data."""
    with claimed(folder, study) as plan:
        for path in (folder.corpus("stories"), folder.tokenizer("letters"), folder.task("minimal_pairs")):
            path.mkdir(parents=True, exist_ok=True)
        write_json(folder.path / "plan.json", plan)


def rewrite_settings(folder, room: str, name: str, change) -> None:
    """Makes the plan that of another version, with other settings of this corpus, tokens or task."""
    plan = read_json(folder.path / "plan.json")
    for part in ("data", "config"):
        change(plan[part][room][name])
    write_json(folder.path / "plan.json", plan)


@pytest.mark.parametrize(
    ("room", "name", "setting", "other"),
    [
        ("corpora", "stories", "voices", ("us_male",)),
        ("tokens", "letters", "lower_case", False),
        ("tasks", "minimal_pairs", "voices", ("us_male",)),
    ],
)
def test_a_setting_that_a_kind_has_got_since_is_at_its_default(folder, room, name, setting, other):
    claim(folder, config())
    default = read_json(folder.path / "plan.json")["data"][room][name][setting]
    rewrite_settings(folder, room, name, lambda settings: settings.pop(setting))
    message = re.escape(f"{room}.{name}.{setting}: {default!r} there, ")
    with pytest.raises(InputError, match=message):
        claim(folder, config(change=lambda study: study[room][name].update({setting: other})))
    claim(folder, config())
    assert read_json(folder.path / "plan.json")["data"][room][name][setting] == default


@pytest.mark.parametrize("other", [{"gone": 3}, {"kind": "gone"}], ids=["setting", "kind"])
def test_a_setting_or_a_kind_that_is_gone_is_named(folder, other):
    claim(folder, config())
    rewrite_settings(folder, "corpora", "stories", lambda settings: settings.update(other))
    ((name, value),) = other.items()
    with pytest.raises(InputError, match=rf"corpora\.stories\.{name}: {value!r} there"):
        claim(folder, config())


def test_costs_are_not_estimated_from_the_data_of_another_study(folder):
    prepare(folder, config())
    with pytest.raises(InputError, match=r"corpora\.stories\.stories: 20 there, 21 now"):
        estimate_study(settings(change=set_stories), folder.path)


def test_what_was_not_made_yet_may_change(folder):
    with claimed(folder, config()):
        pass  # ended before anything was written
    with claimed(folder, config(change=set_stories)) as plan:
        assert plan["data"]["corpora"]["stories"]["stories"] == 21


def test_one_preparation_at_a_time_in_a_folder_of_a_study(folder):
    with claimed(folder, config()), pytest.raises(InputError, match="another run is at work there"):
        prepare(folder, config())
    assert not (folder.path / ".preparing").exists()
    write_json(folder.path / "plan.json", {"config": {"tables": []}})
    with pytest.raises(InputError, match="another kind of study"):
        prepare(folder, config())
    (folder.path / "plan.json").rename(folder.path / "letter.txt")
    with pytest.raises(InputError, match="not empty and holds no study"):
        prepare(folder, config())


def test_a_plan_that_is_there_stays_until_the_next_is_complete(folder):
    prepare(folder, config())
    plan = read_json(folder.path / "plan.json")
    write_json(folder.path / "plan.json", plan | {"runs": [{"name": "a"}]})
    with pytest.raises(KeyboardInterrupt), claimed(folder, config()):
        raise KeyboardInterrupt
    assert read_json(folder.path / "plan.json")["runs"] == [{"name": "a"}]


def test_a_candidate_longer_than_the_context_is_named(folder):
    study = dataclasses.replace(config(), context=10)
    with pytest.raises(InputError, match=r"config\.arms\.letters\.context=\d+ or more"):
        prepare(folder, study)


def test_what_failed_is_tried_again_after_preparing_again(folder):
    def shrink(study):
        study.grid.update({"budgets": (1e9,), "sizes": ("12k", "30k"), "min_steps": 2, "max_epochs": 1000.0})

    study = Study(config(change=shrink), folder.path)
    study.prepare()
    jobs = study.jobs()
    lock = RunLock(folder, jobs.runs[0].name)
    with lock.locked() as file:
        file.write("1 on here at step 0\n2 on here at step 0\n")
    jobs.fail(jobs.runs[0], "killed")
    study.prepare()
    assert study.jobs().left() == jobs.runs and not lock.killed_at(0)


def test_times_of_stages_that_go_on_add_up_and_those_of_stages_done_anew_do_not(folder, monkeypatch):
    clock = itertools.count(step=10.0)
    monkeypatch.setattr(runner, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    for part in ("write_examples", "write_report"):
        monkeypatch.setattr(runner, part, lambda *_: None)
    for part in ("work", "_fit", "_done"):
        monkeypatch.setattr(Study, part, lambda self: None)
    monkeypatch.setattr(Study, "jobs", lambda self: types.SimpleNamespace(runs=["one"]))
    study = Study(config(), folder.path)
    for _ in range(2):
        study.train(at_once=1)
        study.report()
    train, *others = read_json(folder.path / "timings.json").values()
    assert train == 20.0 and others == [10.0] * 3


def test_tokens_of_themselves_are_refused(folder):
    def turn(study):
        study.tokens.one = {"kind": "pieces", "of": "two"}
        study.tokens.two = {"kind": "pieces", "of": "one"}
        study.arms.circle = {"corpus": "stories", "tokens": "one"}

    with pytest.raises(InputError, match=r"is made of itself \(one of two of one|two of one of two"):
        prepare(folder, config(change=turn))
