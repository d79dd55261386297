"""A study directory as the runner leaves it, with made-up speech and runs, and the laws of those."""

import csv
import pathlib

import numpy as np
import soundfile

from slm_jax.corpora import Utterance, cloze_utterances, pair_utterances, story_utterances, write_corpus
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
COLUMNS = ("model", "modality", "tokenizer", "params", "tokens", "unique_tokens", "flops", "loss")


def write_study(folder: pathlib.Path, *, sizes: int = 5, resamples: int = 100) -> pathlib.Path:
    """Writes everything `write_report` reads, with runs of the first `sizes` sizes."""
    write_data(folder)
    write_runs(folder, sizes=sizes)
    write_laws(folder, resamples=resamples)
    return folder


def write_runs(folder: pathlib.Path, *, sizes: int) -> None:
    """plan.json, timings.json, results.csv and what each run left in its folder."""
    rng = np.random.default_rng(7)
    phenomena = sorted({row["UID"] for row in read_jsonl(folder / "text/pairs.jsonl")})
    runs = [(size, budget) for budget in BUDGETS for size in list(SIZES)[:sizes]]
    rows, planned = [], []
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
        write_jsonl(folder / f"runs/{name}/metrics.jsonl", _metrics(tokens, loss, rng))
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


def write_data(folder: pathlib.Path) -> None:
    """The corpus as text, a little noise as speech, and random units of a tokenizer with random centroids."""
    rng = np.random.default_rng(5)
    text, voices = folder / "text", ("us_female", "british_male")
    write_corpus(text, stories=40, pairs_per_phenomenon=2, cloze_items=2, seed=0)
    Tokenizer(MFCC(), rng.normal(size=(K, 26))).save(folder / "tokenizer")
    _write_speech(folder, "stories", story_utterances(text), (), rng)
    _write_speech(folder, "pairs", pair_utterances(text, voices), PAIR_FIELDS, rng)
    _write_speech(folder, "cloze", cloze_utterances(text, voices), PAIR_FIELDS, rng)


def _write_speech(folder, name: str, utterances: list[Utterance], fields: tuple[str, ...], rng) -> None:
    """A manifest, audio for its first two recordings alone, and the dataset."""
    speech, manifest, splits = folder / "speech" / name, [], {}
    for utterance in utterances:
        row = {"audio": f"audio/{utterance.id}.wav", "id": utterance.id, "speaker": utterance.voice}
        manifest.append(row | {"text": utterance.text} | utterance.fields)
        units_L = rng.integers(0, K, len(utterance.text)).astype(np.uint16)
        example = {"id": utterance.id, "units": units_L, "source": name, "speaker": utterance.voice}
        example |= {"seconds": len(units_L) / 18} | {field: utterance.fields[field] for field in fields}
        splits.setdefault(utterance.fields.get("split", "test"), []).append(example)
    write_jsonl(speech / "manifest.jsonl", manifest)
    (speech / "audio").mkdir()
    for row in manifest[:2]:
        soundfile.write(speech / row["audio"], rng.normal(0, 0.05, 8_000).clip(-1, 1), 16_000)
    write_dataset(
        folder / "data" / name,
        splits,
        name=name,
        kind="pairs" if fields else "units",
        tokenizer_dir=folder / "tokenizer",
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
