"""Held-out loss of a run on a dataset, in all and source by source."""

import collections
import os

import numpy as np

from slm_jax.data import UnitDataset
from slm_jax.evaluation.run import Run, check_tokenizer, computed_with, open_run, provenance
from slm_jax.training import heldout_loss


def evaluate_loss(
    run: Run | str | os.PathLike,
    dataset_dir: str | os.PathLike,
    *,
    split: str = "validation",
    stride: int | None = None,
    precision: str | None = None,
) -> dict:
    """Upstream loss: the mean negative log-likelihood of the tokens of a split, with each record's EOS.

    By default in windows as in training; with a stride, each token after the first window sees at least
    context - stride + 1 tokens (`training.heldout_loss`). Of each source and of all: tokens, nats, nats per
    token and, where all durations are known, seconds and nats per second: by these, tokens that spell the
    same units (pieces of them, say) can be compared.

    Raises InputError for a dataset of another tokenizer than the run's data, an unknown split or a stride
    outside 1..context.
    """
    dataset = UnitDataset(dataset_dir)
    run = (run if isinstance(run, Run) else open_run(run)).at(precision)
    check_tokenizer(run, dataset)
    loss = heldout_loss(run.model, dataset, split, context=run.context, stride=stride, mesh=run.mesh)
    sources: dict[str, list] = collections.defaultdict(list)
    for example, nats in zip(dataset.examples(split), loss.nats_R, strict=True):
        sources[example["source"]].append((len(example["units"]) + 1, nats, example["seconds"]))
    stride = run.context if stride is None else stride
    origin = provenance(run, dataset)
    origin["data"]["split"] = split
    return {
        "task": "loss",
        "loss": {
            "total": _summed([row for rows in sources.values() for row in rows]),
            "sources": {name: _summed(sources[name]) for name in sorted(sources)},
        },
        "settings": {
            "windows": {"stride": stride, "least_seen": run.context - stride + 1},
            "eos_scored": True,
            **computed_with(run),
        },
        **origin,
    }


def _summed(rows: list[tuple[int, float, float]]) -> dict:
    tokens_R, nats_R, seconds_R = (np.array(column, float) for column in zip(*rows, strict=True))
    known = bool((seconds_R > 0).all())
    return {
        "records": len(rows),
        "tokens": int(tokens_R.sum()),
        "nats": float(nats_R.sum()),
        "nats_per_token": float(nats_R.sum() / tokens_R.sum()),
        "seconds": float(seconds_R.sum()) if known else None,
        "nats_per_second": float(nats_R.sum() / seconds_R.sum()) if known else None,
    }
