"""A study directory as the runner leaves it, with made-up speech and runs, and the laws of those."""

import csv
import pathlib

import numpy as np
from made_up_findings import write_claims, write_examples

from slm_jax.corpora import write_corpus
from slm_jax.data import write_dataset
from slm_jax.evaluation.accuracy import PairScores
from slm_jax.evaluation.intervals import summarize
from slm_jax.files import read_jsonl, write_json, write_jsonl
from slm_jax.scaling import fit, read_runs, write_figures
from slm_jax.tokenizer import MFCC, Tokenizer

SIZES = {"30k": 31_500, "90k": 93_000, "170k": 172_000, "440k": 441_000, "830k": 831_000}
BUDGETS = (3e11, 1e12, 3e12, 1e13)
HELD_OUT_PAIRS = 60
K = 50
PAIR_FIELDS = ("group", "phenomenon", "voice", "correct")
TOKENS = {  # tokens a second of speech
    "units": ({"kind": "units", "encoder": "mfcc", "frame_rate": 25, "units": K}, 18.0),
    "letters": ({"kind": "text", "model": "characters", "vocabulary": 500, "lower_case": True}, 14.0),
    "pieces": ({"kind": "pieces", "of": "units", "vocabulary": 1000, "model": "unigram"}, 9.0),
    "units_50hz": ({"kind": "units", "encoder": "mfcc", "frame_rate": 50, "units": K}, 27.0),
    "units_k20": ({"kind": "units", "encoder": "mfcc", "frame_rate": 25, "units": 20}, 16.0),
}
ARMS = {  # corpus, tokens, seeds, what its loss and its accuracy have more than those of the first
    "speech": ("stories", "units", 1, 0.0, 0.0),
    "text": ("stories", "letters", 1, -0.7, 0.08),
    "prose": ("prose", "units", 2, 0.12, -0.04),
    "pieces": ("stories", "pieces", 2, 0.9, -0.03),
    "speech_50hz": ("stories", "units_50hz", 2, -0.4, -0.01),
    "speech_k20": ("stories", "units_k20", 2, -0.5, -0.02),
}


def write_study(folder: pathlib.Path, *, arms: int = 1, sizes: int = 5, resamples: int = 100) -> pathlib.Path:
    """Writes everything `write_report` reads: runs of the first `sizes` sizes in the first `arms` arms.

    Of several arms all have the laws of the first, and there are claims but no figures.
    """
    names = list(ARMS)[:arms]
    write_data(folder, names)
    write_runs(folder, names, sizes=sizes)
    write_examples(folder)
    if arms > 1:
        write_claims(folder, list(SIZES)[:3])
        write_equal_laws(folder, resamples=resamples)
    else:
        write_laws(folder, resamples=resamples)
    return folder


def write_runs(folder: pathlib.Path, arms: list[str], *, sizes: int) -> None:
    """plan.json, timings.json, results.csv and what each run left in its folder."""
    rng = np.random.default_rng(7)
    rows, planned = [], []
    for arm in arms:
        for budget in BUDGETS:
            for size in list(SIZES)[:sizes]:
                for seed in range(ARMS[arm][2]):
                    row, plan = _write_run(folder, arm, size, budget, seed, rng)
                    rows.append(row)
                    planned.append(plan)
    with (folder / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    write_json(folder / "plan.json", _plan(planned, arms))
    write_json(
        folder / "timings.json", {"corpus": 3.1, "speech": 412.5, "tokenizer": 64.0, "training": 3991.0}
    )


def _write_run(folder, arm: str, size: str, budget: float, seed: int, rng) -> tuple[dict, dict]:
    """What a run leaves in its folder; its row of results.csv and of the plan."""
    corpus, tokens_name, _, more_loss, more_accuracy = ARMS[arm]
    params, phenomena = SIZES[size], sorted({row["UID"] for row in _pairs(folder)})
    name = f"{arm}-{size}-{budget:.0e}".replace("e+", "e") + (f"-s{seed}" if seed else "")
    tokens = round(budget / (6 * params))
    fall = 9 / params**0.25 + 24 / tokens**0.27 + rng.normal(0, 0.004)
    loss = 1.9 + more_loss + fall
    easy = more_accuracy + 0.33 * (1.7 - fall) * (2 if arm == "text" else 1)
    tasks = {
        "minimal_pairs": _accuracy(phenomena, 0.5 + easy, rng),
        "topic_cloze": _accuracy(["topic_cloze"], 0.5 + easy / 4, rng),
    }
    run, per_second = folder / "runs" / name, loss * TOKENS[tokens_name][1]
    row = {
        "model": name,
        "arm": arm,
        "modality": "text" if tokens_name == "letters" else "speech",
        "tokenizer": tokens_name,
        "corpus": corpus,
        "seed": seed,
        "params": params,
        "tokens": tokens,
        "unique_tokens": min(tokens, 2_400_000),
        "flops": budget,
        "loss": loss,
        "loss_per_second": per_second,
    }
    for task, accuracy in tasks.items():
        pairs = HELD_OUT_PAIRS * len(accuracy["phenomena"])
        write_json(run / f"{task}.json", {"task": task, "accuracy": accuracy, "pairs": pairs})
        row |= {task: accuracy["macro"]["value"]}
        row |= {f"{task}_{end}": accuracy["macro"][end] for end in ("low", "high")}
    write_json(run / "loss.json", {"loss": {"total": {"nats_per_second": per_second}}})
    write_jsonl(run / "metrics.jsonl", _metrics(tokens, loss, rng))
    summary = {"name": name, "params": params, "tokens": tokens, "unique_tokens": row["unique_tokens"]}
    summary |= {"epochs": tokens / 2_400_000, "flops": budget, "train_loss": loss - 0.02}
    summary |= {"tokens_per_second": 9e9 / params, "mfu": None, "devices": "1 x cpu"}
    steps, shares = tokens // 1024, budget < BUDGETS[-1]
    shared = {"shared_steps": steps * 4 // 5} if shares else {}
    write_json(run / "summary.json", summary | shared)
    plan = {"name": name, "arm": arm, "size": size, "seed": seed, "budget": budget, "params": params}
    plan |= {"tokens": tokens, "steps": steps, "flops": budget}
    trunk = f"{arm}-{size}-{BUDGETS[-1]:.0e}".replace("e+", "e") if shares else ""
    return row, plan | {"trunk": trunk, "shared_steps": 0} | shared


def write_equal_laws(folder: pathlib.Path, *, resamples: int) -> None:
    """laws.json with the laws of the first group for every one."""
    groups = read_runs(folder / "results.csv").groups()
    laws = fit(next(iter(groups.values())), seed=0, resamples=resamples)
    (group,) = laws["groups"].values()
    write_json(folder / "laws.json", laws | {"groups": dict.fromkeys(groups, group)})


def write_laws(folder: pathlib.Path, *, resamples: int) -> None:
    """laws.json and the figures, from results.csv and the metrics."""
    table = read_runs(folder / "results.csv")
    curves = {}
    for name, params in zip(table.model, table.params_R, strict=True):
        metrics = folder / f"runs/{name}/metrics.jsonl"
        if metrics.exists():
            tokens_S, loss_S = np.array([(row["tokens"], row["loss"]) for row in read_jsonl(metrics)]).T
            curves[name] = (6 * params * tokens_S, loss_S, float(params))
    laws = fit(table, seed=0, resamples=resamples, curves=curves)
    write_json(folder / "laws.json", laws)
    write_figures(table, laws, folder / "figures", curves)


def write_data(folder: pathlib.Path, arms: list[str]) -> None:
    """Corpora and tasks as text; of every arm's, random units of a tokenizer with random centroids."""
    rng = np.random.default_rng(5)
    for corpus in dict.fromkeys(ARMS[arm][0] for arm in arms):
        write_corpus(folder / "corpora" / corpus, stories=40, pairs_per_phenomenon=2, cloze_items=0, seed=0)
    for task in ("minimal_pairs", "topic_cloze"):
        write_jsonl(folder / f"tasks/{task}/questions.jsonl", _questions(folder, task))
    for arm in arms:
        corpus, tokens = ARMS[arm][:2]
        tokenizer = folder / "tokens" / tokens
        if not tokenizer.exists():
            tokenizer.parent.mkdir(exist_ok=True)
            Tokenizer(MFCC(), rng.normal(size=(K, 26))).save(tokenizer)
        texts = read_jsonl(folder / "corpora" / corpus / "stories.jsonl")
        if not (folder / "data" / tokens / corpus).exists():
            _write_units(folder, tokens, corpus, [(row["text"], row["split"], {}) for row in texts], rng)
        if not (folder / "data" / tokens / "minimal_pairs").exists():
            _write_units(folder, tokens, "minimal_pairs", _candidates(folder), rng)


def _pairs(folder: pathlib.Path) -> list[dict]:
    return list(read_jsonl(folder / "tasks/minimal_pairs/questions.jsonl"))


def _questions(folder: pathlib.Path, task: str) -> list[dict]:
    if task == "minimal_pairs":
        return list(read_jsonl(folder / "corpora/stories/pairs.jsonl"))
    ending = {"sentence_good": "The finch followed him.", "sentence_bad": "The king ate the cabbage."}
    return [{"UID": task, "pairID": "cloze-0", **ending}]


def _candidates(folder: pathlib.Path) -> list[tuple]:
    """(text, split, fields) of both sentences of each pair."""
    found = []
    for number, row in enumerate(_pairs(folder)):
        for which in ("good", "bad"):
            values = (str(number), row["UID"], "us_female", which == "good")
            found.append((row[f"sentence_{which}"], "test", dict(zip(PAIR_FIELDS, values, strict=True))))
    return found


def _write_units(folder, tokens: str, source: str, texts: list[tuple], rng) -> None:
    splits: dict[str, list] = {}
    for number, (text, split, fields) in enumerate(texts):
        units_L = rng.integers(0, K, len(text)).astype(np.uint16)
        example = {"id": f"{source}-{number}", "units": units_L, "source": source, "speaker": "us_female"}
        splits.setdefault(split, []).append(example | {"seconds": len(units_L) / TOKENS[tokens][1]} | fields)
    write_dataset(
        folder / "data" / tokens / source,
        splits,
        name=source,
        kind="pairs" if source == "minimal_pairs" else "units",
        tokenizer_dir=folder / "tokens" / tokens,
    )


def _accuracy(phenomena: list[str], mean: float, rng: np.random.Generator) -> dict:
    """What `evaluate` says of answers drawn with about this accuracy, some phenomena easier than others."""
    pairs = len(phenomena) * HELD_OUT_PAIRS
    ease_F = np.linspace(-0.08, 0.16, len(phenomena)) if len(phenomena) > 1 else np.zeros(1)
    chance_P = np.clip(mean + np.repeat(ease_F, HELD_OUT_PAIRS), 0.02, 0.98)
    scores = PairScores(
        phenomenon_P=np.repeat(phenomena, HELD_OUT_PAIRS),
        group_P=np.arange(pairs).astype(str),
        score_P=rng.binomial(4, chance_P) / 4,
        questions_P=np.full(pairs, 4),
    )
    return summarize(scores, resamples=200)


def _metrics(tokens: int, loss: float, rng: np.random.Generator) -> list[dict]:
    share_S = np.geomspace(0.02, 1, 40)
    loss_S = loss + 0.35 * (share_S**-0.35 - 1) + rng.normal(0, 0.006, 40)
    return [{"tokens": tokens * share, "loss": loss} for share, loss in zip(share_S, loss_S, strict=True)]


def _plan(planned: list[dict], arms: list[str]) -> dict:
    config = {
        "corpora": {corpus: {"kind": "grammar", "stories": 40} for corpus in ("stories", "prose")},
        "tokens": {name: fields for name, (fields, _) in TOKENS.items()},
        "tasks": {"minimal_pairs": {"kind": "minimal_pairs"}, "topic_cloze": {"kind": "topic_cloze"}},
        "arms": {
            arm: {"corpus": ARMS[arm][0], "tokens": ARMS[arm][1], "model": {}, "context": 0, "batch_size": 0}
            for arm in arms
        },
        "grid": {"sizes": list(SIZES), "budgets": list(BUDGETS)},
        "context": 256,
        "batch_size": 4,
    }
    return {
        "name": "made_up",
        "title": "How far do small speech models get?",
        "config": config,
        "runs": planned,
        "seed": 0,
        "versions": {"slm_jax": "0.1.0", "python": "3.11.2", "jax": "0.10.2"},
        "command": "slm study --config=configs/studies/made_up.py --workdir=runs/made_up",
        "commit": "f56e1c188f5dbaa15c34b3d2c72c5e9248f0c634",
        "machine": "2 x AMD EPYC 9B14, 2 cores",
        "started": "2026-11-22T15:05:27+00:00",
    }
