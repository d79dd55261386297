"""A study directory as the runner leaves it: real data of tiny size, made-up runs, laws fitted to them."""

import csv
import pathlib

import numpy as np

from slm_jax.corpora import (
    cloze_utterances,
    find_recordings,
    pair_utterances,
    speak,
    story_utterances,
    write_corpus,
)
from slm_jax.data import encode_recordings
from slm_jax.evaluation.accuracy import PairScores
from slm_jax.evaluation.intervals import summarize
from slm_jax.files import read_jsonl, write_json
from slm_jax.scaling import fit, read_runs, write_figures
from slm_jax.tokenizer import fit_tokenizer, make_encoder

SIZES = {"30k": 31_500, "90k": 93_000, "170k": 172_000, "440k": 441_000, "830k": 831_000}
BUDGETS = (3e11, 1e12, 3e12, 1e13)
HELD_OUT_PAIRS = 60
COLUMNS = ("model", "modality", "tokenizer", "params", "tokens", "unique_tokens", "flops", "loss")


def write_study(folder: pathlib.Path, *, sizes: int = 5, resamples: int = 100) -> pathlib.Path:
    """Writes everything `write_report` reads, for the first `sizes` sizes."""
    rng = np.random.default_rng(7)
    _write_data(folder)
    phenomena = sorted({row["UID"] for row in read_jsonl(folder / "text/pairs.jsonl")})
    runs = [(size, budget) for budget in BUDGETS for size in list(SIZES)[:sizes]]
    rows, curves, planned = [], {}, []
    for size, budget in runs:
        name, params = f"{size}-{budget:.0e}".replace("+", ""), SIZES[size]
        tokens = round(budget / (6 * params))
        loss = 1.9 + 9 / params**0.25 + 24 / tokens**0.27 + rng.normal(0, 0.004)
        planned.append({"name": name, "size": size, "params": params, "tokens": tokens, "flops": budget})
        row = dict(zip(COLUMNS, (name, "speech", "mfcc-50", params, tokens), strict=False))
        row |= {"unique_tokens": min(tokens, 2_400_000), "flops": budget, "loss": loss}
        tasks = {
            "minimal_pairs": _accuracy(phenomena, 0.5 + 0.33 * (3.6 - loss), rng),
            "topic_cloze": _accuracy(["topic_cloze"], 0.5 + 0.08 * (3.6 - loss), rng),
        }
        for task, accuracy in tasks.items():
            result = {
                "task": task,
                "accuracy": accuracy,
                "pairs": HELD_OUT_PAIRS * len(accuracy["phenomena"]),
            }
            write_json(folder / f"runs/{name}/{task}.json", result)
            row |= {task: accuracy["macro"]["value"]}
            row |= {f"{task}_{end}": accuracy["macro"][end] for end in ("low", "high")}
        rows.append(row)
        curves[name] = _curve(params, tokens, loss, rng)
        write_json(
            folder / f"runs/{name}/summary.json",
            {
                "name": name,
                "params": params,
                "tokens": tokens,
                "unique_tokens": row["unique_tokens"],
                "epochs": tokens / 2_400_000,
                "flops": budget,
                "train_loss": loss - 0.02,
                "tokens_per_second": 9e9 / params,
                "mfu": None,
                "devices": "1 x cpu",
            },
        )
    with (folder / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    write_json(folder / "plan.json", _plan(planned))
    write_json(
        folder / "timings.json", {"corpus": 3.1, "speech": 412.5, "tokenizer": 64.0, "training": 3991.0}
    )
    table = read_runs(folder / "results.csv")
    laws = fit(table, seed=0, resamples=resamples, curves=curves)
    write_json(folder / "laws.json", laws)
    write_figures(table, laws, folder / "figures", curves)
    return folder


def _write_data(folder: pathlib.Path) -> None:
    text, voices = folder / "text", ("us_female", "british_male")
    write_corpus(text, stories=40, pairs_per_phenomenon=2, cloze_items=2, seed=0)
    utterances = {
        "stories": story_utterances(text),
        "pairs": pair_utterances(text, voices),
        "cloze": cloze_utterances(text, voices),
    }
    for name, spoken in utterances.items():
        speak(spoken, folder / "speech" / name, workers=1)
    fit_tokenizer(
        find_recordings(folder / "speech/stories"),
        encoder=make_encoder("mfcc", {"frame_rate": 25}),
        k=50,
        sample_seconds=60,
        workers=1,
    ).save(folder / "tokenizer")
    for name in utterances:
        recordings = find_recordings(folder / "speech" / name)
        encode_recordings(recordings, folder / "tokenizer", folder / "data" / name, name=name, workers=1)


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


def _curve(params: int, tokens: int, loss: float, rng: np.random.Generator):
    share_S = np.geomspace(0.02, 1, 40)
    loss_S = loss + 0.35 * (share_S**-0.35 - 1) + rng.normal(0, 0.006, 40)
    return 6.0 * params * tokens * share_S, loss_S, float(params)


def _plan(planned: list[dict]) -> dict:
    return {
        "name": "made_up",
        "title": "How far do small speech models get?",
        "config": {
            "corpus": {"stories": 40, "pairs_per_phenomenon": 2, "voices": ["us_female", "british_male"]},
            "tokenizer": {"encoder": "mfcc", "k": 50},
            "grid": {"sizes": list(SIZES), "budgets": list(BUDGETS)},
            "training": {"context": 256, "batch_size": 16},
        },
        "runs": [run | {"steps": run["tokens"] // 4096} for run in planned],
        "seed": 0,
        "versions": {"slm_jax": "0.1.0", "python": "3.11.2", "jax": "0.10.2"},
        "command": "slm study --config=configs/studies/made_up.py --workdir=runs/made_up",
        "commit": "f56e1c188f5dbaa15c34b3d2c72c5e9248f0c634",
        "machine": "2 x AMD EPYC 9B14, 2 cores",
        "started": "2026-11-22T15:05:27+00:00",
    }
