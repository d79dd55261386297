"""Warnings of voices that a task asks about and no model of an arm heard."""

from slm_jax.study import default_study, parse_study

BOTH = ("us_female", "us_male")


def warnings(capsys, *, corpus: dict, task: dict, tokens: dict | None = None, also=()) -> list[str]:
    study = default_study()
    study.corpora.stories = corpus
    study.corpora.prose = {"kind": "prose", "voices": ("us_male",)}
    study.tokens.tokens = tokens or {"kind": "units"}
    study.tasks.asked = task
    study.arms.speech = {"corpus": "stories", "tokens": "tokens", "also": also}
    parse_study(study)
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]


def test_voices_that_no_corpus_is_spoken_by_are_named(capsys):
    one = {"kind": "text", "path": "stories.txt", "voices": ("us_female",)}
    pairs = {"kind": "minimal_pairs", "voices": BOTH}
    (warning,) = warnings(capsys, corpus=one, task=pairs)
    assert "config.tasks.asked.voices: no corpus of speech is spoken by us_male;" in warning
    (warning,) = warnings(capsys, corpus=one, task={"kind": "minimal_pairs"})  # in every voice there is
    assert "us_male" in warning and "us_female" not in warning
    assert not warnings(capsys, corpus=one, task=pairs | {"voices": ("us_female",)})
    assert not warnings(capsys, corpus=one, task=pairs, also=("prose",))


def test_what_is_not_spoken_or_not_known_gives_no_warning(capsys, tmp_path):
    one = {"kind": "grammar", "voices": ("us_female",)}
    letters = {"kind": "text", "model": "characters"}
    assert not warnings(capsys, corpus=one, task={"kind": "minimal_pairs"}, tokens=letters)
    recorded = {"kind": "published", "task": "sblimp", "path": "data/sblimp"}
    assert not warnings(capsys, corpus=one, task=recorded)
    recordings = {"kind": "audio", "paths": ("speech",)}
    assert not warnings(capsys, corpus=recordings, task={"kind": "minimal_pairs"})
    corpus = tmp_path / "corpus.py"
    corpus.write_text(
        "import dataclasses\n\n\n@dataclasses.dataclass\nclass Corpus:\n    voices: int = 1\n"
        "    write = recordings = None\n"
    )
    assert not warnings(capsys, corpus={"kind": str(corpus)}, task={"kind": "minimal_pairs"})
