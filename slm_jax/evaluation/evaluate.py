"""A run directory and a pairs directory to one result."""

import dataclasses
import os
from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import Mesh

from slm_jax.data import Candidate, PairsDataset
from slm_jax.errors import InputError
from slm_jax.evaluation.accuracy import Question, grade, pair_scores, pose_questions
from slm_jax.evaluation.intervals import LEVEL, RESAMPLES, summarize
from slm_jax.evaluation.score import score_candidates
from slm_jax.files import write_json
from slm_jax.model import Transformer
from slm_jax.training import load_model, read_run_config
from slm_jax.versions import versions

NORMALIZATIONS = ("mean", "sum")


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained model with what evaluating it needs: load once, evaluate on many tasks."""

    directory: str
    name: str
    model: Transformer
    step: int
    context: int
    data_directory: str
    tokenizer_fingerprint: str
    mesh: Mesh | None


def open_run(run_dir: str | os.PathLike, mesh: Mesh | None = None) -> Run:
    """The run's model at its newest checkpoint; raises InputError when there is none."""
    config, _, data = read_run_config(run_dir)
    model, step = load_model(run_dir, mesh)
    return Run(
        directory=os.fspath(run_dir),
        name=config.name,
        model=model,
        step=step,
        context=config.context,
        data_directory=config.data.path,
        tokenizer_fingerprint=data["tokenizer_fingerprint"],
        mesh=mesh,
    )


def evaluate(
    run: Run | str | os.PathLike,
    pairs_dir: str | os.PathLike,
    *,
    task: str,
    normalization: str = "mean",
    items: bool = False,
    seed: int = 0,
) -> dict:
    """Accuracy of a run on spoken minimal pairs, with 95 % intervals; docs/evaluation.md has the schema.

    The candidate with the higher log-likelihood per unit wins (`normalization` "sum": the higher
    log-likelihood). With `items`, the result lists every question with the log-likelihoods of its candidates.
    `seed` is the bootstrap's.

    Raises InputError when the pairs were made with another tokenizer than the run's data, when there are no
    pairs, or when a candidate does not fit into the run's context.
    """
    if normalization not in NORMALIZATIONS:
        raise InputError(f"normalization is {normalization!r}: choose one of {', '.join(NORMALIZATIONS)}")
    pairs = PairsDataset(pairs_dir)
    run = run if isinstance(run, Run) else open_run(run)
    _check_tokenizer(run, pairs)
    candidates = pairs.candidates()
    if not candidates:
        raise InputError(f"{pairs_dir}: holds no pairs; encode a manifest of minimal pairs")
    questions = pose_questions(candidates)
    loglik_C, units_C = score_candidates(
        run.model,
        [candidate.units for candidate in candidates],
        eos=pairs.eos,
        pad=pairs.pad,
        vocab_size=pairs.vocab_size,
        context=run.context,
        ids=[candidate.id for candidate in candidates],
        mesh=run.mesh,
    )
    points_Q = grade(questions, loglik_C / units_C if normalization == "mean" else loglik_C)
    scores = pair_scores([question.pair for question in questions], points_Q)
    result = {
        "task": task,
        "accuracy": summarize(scores, seed=seed),
        "pairs": len(scores.score_P),
        "questions": len(questions),
        "settings": {
            "normalization": normalization,
            "start_symbol": "EOS",
            "terminal_eos_scored": False,
            "tie": 0.5,
            "interval": {"level": LEVEL, "resamples": RESAMPLES, "seed": seed, "cluster": "pair"},
            "precision": {
                "parameters": "float32",
                "compute": str(run.model.compute_dtype),
                "log_softmax": "float32",
                "sums": "float64",
            },
            "devices": _devices(run.mesh),
        },
        "model": {"run": run.directory, "name": run.name, "checkpoint_step": run.step},
        "data": {"directory": os.fspath(pairs_dir), "fingerprint": pairs.fingerprint},
        "tokenizer": {"fingerprint": pairs.tokenizer_fingerprint},
        "versions": versions(),
    }
    if items:
        result["items"] = _items(questions, points_Q, candidates, loglik_C, units_C)
    return result


def write_result(result: dict, path: str | os.PathLike) -> None:
    """Writes the result as JSON."""
    write_json(path, result)


def _check_tokenizer(run: Run, pairs: PairsDataset) -> None:
    if pairs.tokenizer_fingerprint != run.tokenizer_fingerprint:
        raise InputError(
            f"{pairs.directory} was made with tokenizer {pairs.tokenizer_fingerprint} but {run.directory} "
            f"was trained on {run.data_directory}, made with {run.tokenizer_fingerprint}; "
            "tokenize the pairs with the tokenizer of the training data"
        )


def _devices(mesh: Mesh | None) -> str:
    """What the model was scored on, as a run's summary writes it; without a mesh the first device."""
    devices = jax.devices()[:1] if mesh is None else list(mesh.devices.flat)
    return f"{len(devices)} x {devices[0].device_kind}"


def _items(
    questions: Sequence[Question],
    points_Q: np.ndarray,
    candidates: Sequence[Candidate],
    loglik_C: np.ndarray,
    units_C: np.ndarray,
) -> list[dict]:
    def scored(index: int) -> dict:
        return {
            "id": candidates[index].id,
            "loglik": float(loglik_C[index]),
            "units": int(units_C[index]),
        }

    return [
        {
            "phenomenon": question.phenomenon,
            "group": question.group,
            "voice": question.voice,
            "points": float(points),
            "good": scored(question.good),
            "bad": [scored(index) for index in question.bad],
        }
        for question, points in zip(questions, points_Q, strict=True)
    ]
