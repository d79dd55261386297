"""What a study's config names by kind, and what is said of a config that is wrong."""

import pytest

from slm_jax.errors import InputError
from slm_jax.study import default_study, parse_study
from slm_jax.study.kinds import make


def config(**fields):
    study = default_study()
    study.corpora.stories = {"kind": "grammar"}
    study.tokens.units = {"kind": "units"}
    study.tokens.letters = {"kind": "text", "model": "characters"}
    study.tasks.pairs = {"kind": "minimal_pairs"}
    study.arms.speech = {"corpus": "stories", "tokens": "units"}
    study.arms.text = {"corpus": "stories", "tokens": "letters"}
    for path, value in fields.items():
        *parents, name = path.split("__")
        place = study
        for parent in parents:
            place = place[parent]
        place[name] = value
    return study


def test_defaults_of_a_kind_are_filled_in():
    parsed = parse_study(config(corpora__stories={"kind": "grammar", "stories": 7}))
    assert parsed.corpora["stories"]["stories"] == 7
    assert parsed.corpora["stories"]["voices"] == make("corpora", {"kind": "grammar"}, "x").voices
    assert parsed.task("pairs").pairs == 50
    assert parsed.tokens_of("letters").modality == "text"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"corpora__stories": {}}, r"config\.corpora\.stories\.kind is missing: name one of .*grammar"),
        ({"corpora__stories": {"kind": "novels"}}, r"config\.corpora\.stories\.kind is 'novels'"),
        ({"corpora__stories": {"kind": "nowhere.py"}}, r"config\.corpora\.stories\.kind.*nowhere\.py"),
        ({"corpora__stories": {"kind": "grammar", "storys": 3}}, "did you mean stories"),
        (
            {"corpora__stories": {"kind": "grammar", "stories": "many"}},
            "'many': expected a whole",
        ),
        ({"corpora__stories": {"kind": "text"}}, r"config\.corpora\.stories\.path is empty"),
        ({"tokens__units": {"kind": "units", "encoder": "hubert"}}, "encoder 'hubert'"),
        ({"tokens__pieces": {"kind": "pieces", "of": "phones"}}, r"config\.tokens\.pieces\.of is 'phones'"),
        ({"tasks__stories": {"kind": "minimal_pairs"}}, "names a corpus and a task"),
        *(
            ({f"tasks__{name}": {"kind": "minimal_pairs"}}, f"'{name}' is taken")
            for name in ("loss", "summary", "run", "loss_source", "epochs", "lr", "dropout", "weight_decay")
        ),
        ({"tasks__pairs_low": {"kind": "minimal_pairs"}}, "'pairs_low' is an end of the interval of 'pairs'"),
        ({"tasks__a/b": {"kind": "minimal_pairs"}}, "'a/b' is to name files"),
        ({"arms__speech": {"corpus": "prose", "tokens": "units"}}, r"arms\.speech\.corpus is 'prose'"),
        (
            {"arms__speech": {"corpus": "stories", "also": ("prose",), "tokens": "units"}},
            r"arms\.speech\.also is 'prose'",
        ),
        (
            {"arms__speech": {"corpus": "stories", "also": ("stories",), "tokens": "units"}},
            r"arms\.speech\.also is .* nor 'stories' again",
        ),
        ({"arms__speech": {"corpus": "stories", "tokens": "unit"}}, r"arms\.speech\.tokens is 'unit'"),
        (
            {"arms__speech": {"corpus": "stories", "tokens": "units", "model": {"blok": "x"}}},
            r"arms\.speech\.model\.blok",
        ),
        ({"fit_on": "prose"}, r"config\.fit_on is 'prose'"),
        ({"batch_size": 0}, r"config\.batch_size is 0"),
        ({"resamples": -1}, r"config\.resamples is -1"),
        ({"context": -5}, r"config\.context is -5"),
        ({"log_every": 0}, r"config\.log_every is 0"),
    ],
)
def test_what_is_wrong_is_named(fields, message):
    with pytest.raises(InputError, match=message):
        parse_study(config(**fields))


def test_a_study_has_an_arm():
    with pytest.raises(InputError, match=r"config\.arms is empty"):
        parse_study(default_study())
