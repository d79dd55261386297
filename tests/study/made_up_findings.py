"""Claims and recordings of a made-up study."""

import pathlib

import numpy as np
import soundfile

from slm_jax.files import write_json

CLAIMS = (  # says, measure, arms, unit, estimate, verdict, because
    (
        "Accuracy on minimal pairs grows faster with compute for text than for speech",
        "growth of minimal_pairs",
        ("text", "speech"),
        "ratio of exponents",
        (3.1, 1.7, 6.4),
        "supported",
        "the whole interval lies above 1",
    ),
    (
        "Simple stories teach meaning better than prose at equal compute",
        "topic_cloze",
        ("speech", "prose"),
        "accuracy",
        (0.031, 0.012, 0.049),
        "supported",
        "the whole interval lies above 0",
    ),
    (
        "Units give better accuracy on minimal pairs than pieces of them at equal compute",
        "minimal_pairs",
        ("speech", "pieces"),
        "accuracy",
        (0.004, -0.013, 0.021),
        "cannot tell",
        "the interval includes 0",
    ),
    (
        "Units give a lower loss per second of speech than pieces of them at equal compute",
        "loss_per_second",
        ("speech", "pieces"),
        "%",
        (1.84, 0.31, 3.32),
        "not supported",
        "the whole interval lies above 0",
    ),
    (
        "25 frames a second give better accuracy on minimal pairs than 50 at equal compute",
        "minimal_pairs",
        ("speech", "speech_50hz"),
        "accuracy",
        (-0.022, -0.036, -0.009),
        "not supported",
        "the whole interval lies below 0",
    ),
    (
        "50 units give better accuracy on minimal pairs than 20 at equal compute",
        "minimal_pairs",
        ("speech", "speech_k20"),
        "accuracy",
        None,
        "cannot tell",
        "no run of one arm has its counterpart in the other",
    ),
)


def write_claims(folder: pathlib.Path, sizes: list[str]) -> None:
    """claims.json with verdicts of all kinds."""
    rng, rows = np.random.default_rng(3), []
    for says, measure, arms, unit, estimate, verdict, because in CLAIMS:
        cells = []
        for size in sizes if estimate else []:
            for seed in (0, 1):
                apart = estimate[0] + rng.normal(0, (estimate[2] - estimate[1]) / 2)
                cell = {"size": size, "budget": 1e12, "seed": seed, "better": 0.6 + apart, "other": 0.6}
                cells.append(cell | {"difference": apart})
        if measure.startswith("growth"):
            cells = []
        number = estimate and dict(zip(("value", "low", "high"), estimate, strict=True))
        note = "The pairs are those of the stories." if unit == "accuracy" else ""
        rows.append({"name": says[:12], "says": says, "note": note, "measure": measure, "arms": list(arms)})
        rows[-1] |= {"estimate": number, "unit": unit, "verdict": verdict, "because": because}
        rows[-1] |= {
            "cells": cells,
            "text": f"At equal compute, {arms[0]} is told from {arms[1]} as follows: {verdict}.",
        }
    write_json(folder / "claims.json", rows)


def write_examples(folder: pathlib.Path, *, seconds: float = 0.3) -> None:
    """examples.json with three recordings, hums of noise, and a written continuation."""
    rng, examples = np.random.default_rng(9), folder / "examples"
    examples.mkdir(exist_ok=True)
    for name in ("story", "good", "bad"):
        wave_S = np.sin(np.arange(round(16_000 * seconds)) * 0.06) * rng.uniform(0.1, 0.2)
        soundfile.write(examples / f"{name}.mp3", wave_S, 16_000)
    story = "The judges were hungry yesterday near the market. Near the market the judges helped him."
    clips = [
        _clip("A story", story, "us_female", "story.mp3"),
        _clip("The good candidate", "The finch follows him.", "british_male", "good.mp3"),
        _clip("The bad candidate", "The finch follow him.", "british_male", "bad.mp3"),
    ]
    told = "The horse was tired near the barn. Near the barn the horse was tired yesterday …"
    written = [_clip("The largest text model goes on", told, "", None)]
    groups = [
        {"title": "The corpus", "about": "As the models hear it.", "clips": clips[:1]},
        {"title": "Minimal pairs", "about": "One is grammatical, the other is not.", "clips": clips[1:]},
        {"title": "Continuations", "about": "What a model makes of the beginning.", "clips": written},
    ]
    write_json(examples / "examples.json", {"groups": groups})


def _clip(title: str, text: str, voice: str, file: str | None) -> dict:
    return {"title": title, "text": text, "voice": voice, "file": file}
