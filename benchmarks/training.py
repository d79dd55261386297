"""Training throughput: slm_jax against transformers' Llama in PyTorch, same shapes, same machine, same run.

python benchmarks/training.py [--size 170k] [--context 320] [--batch 4]
One JSON line; needs the extra [parity].
"""

import argparse
import json
import os
import time

import jax
import numpy as np

from slm_jax.model import (
    SIZES,
    TransformerConfig,
    count_parameters,
    llama_config,
    make_mesh,
    share_cpu_among_devices,
)
from slm_jax.training import OptimizerConfig
from slm_jax.training.step import program
from slm_jax.versions import versions

VOCABULARY = 502
RATE = 1e-3


def median_seconds(update, updates: int) -> float:
    """Of one update, after two that compile and warm caches."""
    for _ in range(2):
        update()
    seconds = []
    for _ in range(updates):
        started = time.perf_counter()
        update()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def ours(config: TransformerConfig, tokens_BxT: np.ndarray):
    compiled = program(config, OptimizerConfig(), make_mesh())
    state = compiled.initialize(0)

    def update():
        nonlocal state
        batch = jax.make_array_from_process_local_data(compiled.batch_sharding, tokens_BxT)
        state, metrics = compiled.update(state, batch, RATE)
        float(metrics.loss)

    return update


def pytorchs(config: TransformerConfig, tokens_BxT: np.ndarray):
    import torch
    import transformers

    torch.set_num_threads(os.cpu_count())
    llama = transformers.LlamaConfig(**llama_config(config), use_cache=False)
    model = transformers.LlamaForCausalLM(llama)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1)
    inputs, targets = torch.tensor(tokens_BxT[:, :-1]), torch.tensor(tokens_BxT[:, 1:], dtype=torch.long)

    def update():
        logits = model(inputs).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()

    return update


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="170k", choices=SIZES)
    parser.add_argument("--context", type=int, default=320)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--updates", type=int, default=30)
    options = parser.parse_args()
    share_cpu_among_devices(options.batch)
    config = TransformerConfig(vocab_size=VOCABULARY, **SIZES[options.size])
    shape = (options.batch, options.context + 1)
    tokens_BxT = np.random.default_rng(0).integers(VOCABULARY, size=shape).astype(np.int32)
    tokens = options.batch * options.context
    ours_per_second = tokens / median_seconds(ours(config, tokens_BxT), options.updates)
    pytorchs_per_second = tokens / median_seconds(pytorchs(config, tokens_BxT), options.updates)
    result = {
        "benchmark": "training",
        **{name: getattr(options, name) for name in ("size", "context", "batch")},
        "params": count_parameters(config),
        "tokens_per_second": round(ours_per_second),
        "pytorch_tokens_per_second": round(pytorchs_per_second),
        "ratio": round(ours_per_second / pytorchs_per_second, 2),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "versions": versions(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
