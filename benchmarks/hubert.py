"""HuBERT base up to layer 11, in seconds of audio per second, against transformers' HubertModel.

python benchmarks/hubert.py [--recordings 12] [--repeats 3] [--dtype bfloat16]
One JSON line; needs the extra [parity]. Same random weights, same lengths of 4 to 16 s, same precision, both
on all cores, by turns; PyTorch gets one recording at a time, its fastest way on CPU, and runs on CUDA where
it sees a GPU: compare nothing when `devices` and `pytorch_device` differ in kind. The best of the repeats
counts, after one that compiles and warms caches.
"""

import argparse
import json
import os
import tempfile
import time

import jax
import numpy as np
import torch
import transformers

from slm_jax.tokenizer import HuBERT
from slm_jax.tokenizer.hubert.encoder import DTYPES
from slm_jax.versions import versions

LAYER, RATE = 11, 16_000
SHORTEST, LONGEST = 4.0, 16.0  # s


def pytorchs(model: transformers.HubertModel, waves: list[np.ndarray]) -> list[np.ndarray]:
    with torch.inference_mode():
        inputs = (torch.from_numpy(wave_S)[None].to(model.device, model.dtype) for wave_S in waves)
        return [model(wave_1xS).last_hidden_state[0].float().cpu().numpy() for wave_1xS in inputs]


def timed(work) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    options = parser.parse_args()
    torch.set_num_threads(os.cpu_count())
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rng = np.random.default_rng(0)
    lengths = rng.uniform(SHORTEST * RATE, LONGEST * RATE, options.recordings).astype(int)
    waves = [rng.normal(0, 0.1, length).astype(np.float32) for length in lengths]
    audio = sum(lengths) / RATE
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        model = transformers.HubertModel(transformers.HubertConfig()).eval()
        model.save_pretrained(folder)
        del model.encoder.layers[LAYER:]  # neither side computes what layer 11 does not need
        model.to(device, getattr(torch, options.dtype))
        encoder = HuBERT.from_folder(folder, layer=LAYER, dtype=options.dtype)
        difference = max(
            float(np.abs(ours - theirs).max())
            for ours, theirs in zip(encoder.many(waves), pytorchs(model, waves), strict=True)
        )
        ours, theirs = [], []
        for _ in range(options.repeats):
            ours.append(timed(lambda: encoder.many(waves)))
            theirs.append(timed(lambda: pytorchs(model, waves)))
    (ours_s, ours_cpu), (theirs_s, theirs_cpu) = (np.min(seconds, axis=0) for seconds in (ours, theirs))
    result = {
        "benchmark": "hubert",
        "dtype": options.dtype,
        "audio_seconds": round(audio),
        "audio_seconds_per_second": round(audio / ours_s, 2),
        "pytorch_audio_seconds_per_second": round(audio / theirs_s, 2),
        "ratio": round(theirs_s / ours_s, 2),
        "cpu_time_ratio": round(theirs_cpu / ours_cpu, 2),
        "largest_difference": difference,
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "pytorch_device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "cores": os.cpu_count(),
        "versions": versions() | {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
