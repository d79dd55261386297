"""Claims about two arms, from what runs leave in a study's folder."""

import dataclasses
import json
import random

import numpy as np
import pytest

from slm_jax.errors import InputError
from slm_jax.files import read_json, write_json
from slm_jax.study import default_study, parse_study
from slm_jax.study.claims import write_claims
from slm_jax.study.folder import StudyFolder
from slm_jax.study.grid import PlannedRun, run_name

SIZES = {"30k": 30_000, "90k": 90_000, "170k": 170_000}
BUDGETS, SEEDS, VOICES = (1e12, 3e12), (0, 1), ("us", "uk")
NOTE = "The pairs are sentences of the stories."
PHENOMENA = {"agreement": 40, "reflexive": 40, "order": 20}


def study(measure: str, arms=("speech", "pieces")):
    config = default_study()
    config.corpora.stories = {"kind": "grammar"}
    config.corpora.prose = {"kind": "prose"}
    config.tokens.units = {"kind": "units"}
    config.tokens.pieces = {"kind": "pieces", "of": "units"}
    config.tokens.few_pieces = {"kind": "pieces", "of": "units", "vocabulary": 300}
    config.tokens.long_pieces = {"kind": "pieces", "of": "pieces"}
    config.tokens.coarse = {"kind": "units", "units": 50}
    config.tokens.coarse_pieces = {"kind": "pieces", "of": "coarse"}
    config.tokens.letters = {"kind": "text", "model": "characters"}
    config.tasks.pairs = {"kind": "minimal_pairs"}
    config.arms.speech = {"corpus": "stories", "tokens": "units"}
    config.arms.wide = {"corpus": "stories", "tokens": "units", "context": 512}
    config.arms.pieces = {"corpus": "stories", "tokens": "pieces"}
    for tokens in ("few_pieces", "long_pieces", "coarse", "coarse_pieces"):
        config.arms[tokens] = {"corpus": "stories", "tokens": tokens}
    config.arms.text = {"corpus": "stories", "tokens": "letters"}
    config.arms.wide_text = {"corpus": "stories", "tokens": "letters", "context": 512}
    config.arms.prose = {"corpus": "prose", "tokens": "units"}
    config.claims.claim = {"says": "the first is better", "arms": arms, "measure": measure, "note": NOTE}
    config.resamples = 400
    return parse_study(config)


def planned(arm: str, budgets=BUDGETS, seeds=SEEDS, sizes=SIZES) -> list[PlannedRun]:
    return [
        PlannedRun(run_name(arm, size, budget, seed), size, budget, SIZES[size], 1000, 10, budget, arm, seed)
        for budget in budgets
        for size in sizes
        for seed in seeds
    ]


def answer(folder: StudyFolder, run: PlannedRun, chance: float, rng, voices=VOICES) -> None:
    items = [
        {
            "phenomenon": phenomenon,
            "group": str(group),
            "voice": voice,
            "points": float(rng.random() < chance),
        }
        for phenomenon, groups in PHENOMENA.items()
        for group in range(groups)
        for voice in voices
    ]
    write_json(folder.score(run.name, "pairs"), {"items": items})


def measure_loss(folder: StudyFolder, run: PlannedRun, nats: float | None) -> None:
    total = {"nats_per_token": nats, "nats_per_second": nats}
    write_json(folder.score(run.name, "loss"), {"loss": {"total": total}})


def claim_of(folder: StudyFolder, config, runs, laws=None) -> dict:
    (claim,) = write_claims(folder, config, runs, laws or {"groups": {}, "comparisons": []})
    assert read_json(folder.path / "claims.json") == [json.loads(json.dumps(claim))]
    return claim


def macro(folder: StudyFolder, run: PlannedRun) -> float:
    items = read_json(folder.score(run.name, "pairs"))["items"]
    points = {name: [i["points"] for i in items if i["phenomenon"] == name] for name in PHENOMENA}
    return float(np.mean([np.mean(of) for of in points.values()]))


@pytest.fixture
def answered(tmp_path):
    """Speech eight points better than pieces, both asked the same in every cell."""
    folder, rng = StudyFolder(tmp_path), np.random.default_rng(0)
    runs = [run for arm in ("speech", "pieces") for run in planned(arm)]
    for run in runs:
        answer(folder, run, 0.68 if run.arm == "speech" else 0.6, rng)
    return folder, runs


def test_accuracy_at_equal_compute(answered):
    folder, runs = answered
    claim = claim_of(folder, study("pairs"), runs)
    by_name = {run.name: macro(folder, run) for run in runs}
    apart = [by_name[run.name] - by_name[run.name.replace("speech", "pieces")] for run in planned("speech")]
    assert [cell["difference"] for cell in claim["cells"]] == pytest.approx(apart)
    assert list(claim["cells"][1].values())[:3] == ["30k", 1e12, 1]
    assert claim["estimate"]["value"] == pytest.approx(np.mean(apart))
    assert 0 < claim["estimate"]["low"] < 0.08 < claim["estimate"]["high"] < 0.14
    assert (claim["verdict"], claim["unit"]) == ("supported", "accuracy")
    assert claim["because"] == "the whole interval lies above 0"
    assert claim["note"] == NOTE
    points = f"speech is {100 * claim['estimate']['value']:.0f} points more accurate on pairs than pieces"
    assert points in claim["text"] and "(95 % interval +" in claim["text"]
    worse = claim_of(folder, study("pairs", ("pieces", "speech")), runs)
    assert worse["verdict"] == "not supported" and "less accurate" in worse["text"]
    assert worse["estimate"]["value"] == pytest.approx(-claim["estimate"]["value"])


def test_order_of_runs_and_questions_does_not_matter(answered):
    folder, runs = answered
    before = claim_of(folder, study("pairs"), runs)
    shuffle = random.Random(1)
    for run in runs:
        result = read_json(folder.score(run.name, "pairs"))
        shuffle.shuffle(result["items"])
        write_json(folder.score(run.name, "pairs"), result)
    shuffled = list(runs)
    shuffle.shuffle(shuffled)
    assert claim_of(folder, study("pairs"), shuffled) == before


def test_arms_that_answer_alike_differ_by_exactly_nothing(tmp_path):
    folder = StudyFolder(tmp_path)
    for number, run in enumerate(planned("speech")):
        for arm in ("speech", "pieces"):
            name = run.name.replace("speech", arm)
            answer(folder, dataclasses.replace(run, name=name), 0.6, np.random.default_rng(number))
    claim = claim_of(folder, study("pairs"), planned("speech") + planned("pieces"))
    assert claim["estimate"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert claim["verdict"] == "cannot tell" and claim["because"] == "the interval includes 0"


def test_arms_at_chance_are_told(tmp_path):
    folder, rng = StudyFolder(tmp_path), np.random.default_rng(0)
    runs = planned("speech") + planned("pieces")
    for run in runs:
        answer(folder, run, 0.5, rng)

    def because(**above) -> str:
        groups = {arm: {"tasks": {"pairs": {"above_chance": n}}} for arm, n in above.items()}
        return claim_of(folder, study("pairs"), runs, {"groups": groups, "comparisons": []})["because"]

    told = "the interval includes 0, and no run of either arm is surely above chance"
    assert because(speech=0, pieces=0) == told
    assert because(speech=1, pieces=0) == because(speech=None, pieces=0) == "the interval includes 0"


def test_a_text_is_matched_with_all_voices_of_its_pair(tmp_path):
    folder, rng = StudyFolder(tmp_path), np.random.default_rng(0)
    runs = planned("speech") + planned("text")
    for run in runs:
        answer(folder, run, 0.7, rng, VOICES if run.arm == "speech" else ("text",))
    claim = claim_of(folder, study("pairs", ("text", "speech")), runs)
    by_name = {run.name: macro(folder, run) for run in runs}
    assert [cell["better"] for cell in claim["cells"]] == pytest.approx(
        [by_name[run.name] for run in planned("text")]
    )
    assert [cell["other"] for cell in claim["cells"]] == pytest.approx(
        [by_name[run.name] for run in planned("speech")]
    )


def test_only_questions_that_both_were_asked_count(answered):
    folder, runs = answered
    before = claim_of(folder, study("pairs"), runs)
    for run in runs:
        result = read_json(folder.score(run.name, "pairs"))
        extra = {"phenomenon": "order", "group": run.arm, "voice": "us", "points": float(run.arm == "speech")}
        write_json(folder.score(run.name, "pairs"), {"items": [extra, *result["items"]]})
    assert claim_of(folder, study("pairs"), runs) == before


def test_too_few_runs_in_common(answered):
    folder, runs = answered
    few = [run for run in runs if run.arm == "speech" or run.name == "pieces-30k-1e12"]
    claim = claim_of(folder, study("pairs"), few)
    assert claim["estimate"] is None and claim["verdict"] == "cannot tell" and claim["cells"] == []
    assert claim["because"] == "one run of the same size, budget and seed finished in both arms"
    assert claim["because"] in claim["text"]
    trunk = [run for run in runs if (run.size, run.seed) == ("30k", 0)]
    claim = claim_of(folder, study("pairs"), trunk)
    assert len(claim["cells"]) == 2 and claim["estimate"]["low"] is None
    assert claim["verdict"] == "cannot tell" and "one size and seed" in claim["text"]


def test_loss_per_second_is_a_ratio_in_percent(tmp_path):
    folder, rng = StudyFolder(tmp_path), np.random.default_rng(0)
    runs, logs = planned("speech") + planned("pieces"), {}
    for run in runs:
        logs[run.name] = np.log(40.0 if run.arm == "speech" else 42.0) + rng.normal(0, 0.004)
        measure_loss(folder, run, float(np.exp(logs[run.name])))
    claim = claim_of(folder, study("loss_per_second"), runs)
    mean = {arm: np.mean([logs[run.name] for run in planned(arm)]) for arm in ("speech", "pieces")}
    assert claim["estimate"]["value"] == pytest.approx(100 * (np.exp(mean["speech"] - mean["pieces"]) - 1))
    assert -6 < claim["estimate"]["low"] < claim["estimate"]["high"] < -4
    assert (claim["verdict"], claim["unit"]) == ("supported", "%")
    assert "the loss of speech per second is 4." in claim["text"] and "% lower" in claim["text"]
    worse = claim_of(folder, study("loss_per_second", ("pieces", "speech")), runs)
    assert worse["verdict"] == "not supported" and "% higher" in worse["text"]


def test_text_has_no_seconds(tmp_path):
    folder = StudyFolder(tmp_path)
    runs = planned("text") + planned("wide_text")
    for run in runs:
        measure_loss(folder, run, None)
    claim = claim_of(folder, study("loss_per_second", ("text", "wide_text")), runs)
    assert claim["estimate"] is None and claim["verdict"] == "cannot tell"
    assert "of text have no duration" in claim["text"]


def laws_of(text, speech, ratio, faster="text") -> dict:
    def estimate(numbers):
        return dict(zip(("value", "low", "high"), numbers, strict=True))

    gammas = {"text": text, "speech": speech}
    groups = {arm: {"tasks": {"pairs": {"compute": {"exponent": estimate(g)}}}} for arm, g in gammas.items()}
    slower = "speech" if faster == "text" else "text"
    row = {"task": "pairs", "faster": faster, "slower": slower, "gamma_ratio": ratio and estimate(ratio)}
    return {"groups": groups, "comparisons": [row] if ratio else []}


@pytest.mark.parametrize(
    ("laws", "estimate", "verdict", "parts"),
    [
        (
            laws_of((0.06, 0.05, 0.07), (0.02, 0.015, 0.025), (3, 2, 4)),
            (3, 2, 4),
            "supported",
            ["grows 3.0 times as fast with compute for text as for speech (95 % interval 2.0 to 4.0)"],
        ),
        (
            laws_of((0.02, 0.015, 0.025), (0.06, 0.05, 0.07), (4, 2, 5), "speech"),
            (0.25, 0.2, 0.5),
            "not supported",
            ["grows 0.25 times as fast with compute for text"],
        ),
        (
            laws_of((0.06, 0.05, 0.07), (0.002, -0.01, 0.014), (30, None, None)),
            None,
            "supported",
            ["grows faster with compute for text than for speech", "do not overlap", "0.060 [0.050, 0.070]"],
        ),
        (
            laws_of((0.002, -0.01, 0.014), (0.06, 0.05, 0.07), None),
            None,
            "not supported",
            ["grows faster with compute for speech than for text"],
        ),
        (
            laws_of((0.01, -0.01, 0.03), (0.002, -0.01, 0.014), (5, None, None)),
            None,
            "cannot tell",
            ["cannot tell: one of the exponents may be 0", "0.002"],
        ),
        (
            laws_of((0.02, 0.015, 0.025), (0.03, -0.01, 0.07), (1.5, -0.5, 4), "speech"),
            None,
            "cannot tell",
            ["cannot tell: one of the exponents may be 0", "0.030 [-0.010, 0.070] for speech"],
        ),
        (
            laws_of((0.11, 0.07, 0.14), (0.06, 0.04, 0.07), (1.83, 0.9735, 2.953)),
            (1.83, 0.9735, 2.953),
            "cannot tell",
            ["(95 % interval 0.97 to 2.95), which leaves open which grows faster"],
        ),
        (
            laws_of((0.06, None, None), (0.002, None, None), (30, None, None)),
            None,
            "cannot tell",
            ["too few runs for intervals"],
        ),
        ({"groups": {}, "comparisons": []}, None, "cannot tell", ["too few runs of text finished"]),
    ],
)
def test_growth(tmp_path, laws, estimate, verdict, parts):
    claim = claim_of(StudyFolder(tmp_path), study("growth of pairs", ("text", "speech")), [], laws)
    assert claim["verdict"] == verdict and claim["unit"] == "ratio of exponents" and claim["cells"] == []
    if estimate is None:
        assert claim["estimate"] is None
    else:
        assert tuple(claim["estimate"].values()) == pytest.approx(estimate)
    for part in parts:
        assert part in claim["text"]


@pytest.mark.parametrize(
    ("measure", "arms", "parts"),
    [
        ("sblimp", ("speech", "pieces"), ["'sblimp'", "pairs, growth of pairs, loss_per_second"]),
        ("loss", ("speech", "pieces"), ["'loss'", "speech and pieces"]),  # other tokens
        ("loss_per_second", ("speech", "prose"), ["is pairs, growth of pairs"]),  # another corpus
        ("loss_per_second", ("speech", "coarse"), ["is pairs, growth of pairs"]),  # units that say less
        ("loss_per_second", ("pieces", "coarse_pieces"), ["is pairs, growth of pairs"]),
        ("loss_per_second", ("speech", "text"), ["is pairs, growth of pairs"]),
        ("growth of cloze", ("speech", "pieces"), ["growth of pairs"]),
        ("pairs", ("speech",), ["name the better arm and the other"]),
        ("pairs", ("speech", "speech"), ["name the better arm and the other"]),
        ("pairs", ("speech", "music"), ["'music'", "there is only speech"]),
    ],
)
def test_a_claim_that_cannot_be_judged_is_refused(measure, arms, parts):
    with pytest.raises(InputError) as error:
        study(measure, arms)
    for part in ["config.claims.claim", *parts]:
        assert part in str(error.value)
    study("loss", ("speech", "wide"))


@pytest.mark.parametrize(
    "arms",
    [
        ("speech", "wide"),
        ("pieces", "speech"),
        ("pieces", "few_pieces"),
        ("speech", "long_pieces"),
        ("coarse", "coarse_pieces"),
    ],
)
def test_losses_per_second_compare_where_tokens_spell_the_same_units(arms):
    study("loss_per_second", arms)
