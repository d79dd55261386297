"""Counts of the work of training, and what share of the devices' peak it reaches."""

import jax

from slm_jax.model import TransformerConfig

# Dense bf16 peak of one device in FLOP/s, from the makers' data sheets, by the whole name that JAX gives:
# slower boards and the slices of a GPU (MIG) have names that begin alike.
PEAK_FLOPS = {
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100-PCIE-40GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA H100 80GB HBM3": 989e12,  # SXM
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H100 NVL": 835e12,
    "NVIDIA H200": 989e12,  # SXM
    "NVIDIA H200 NVL": 835e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "TPU v6e": 918e12,
}


def training_flops(params: int, tokens: int) -> float:
    """C = 6 N D (Kaplan et al. 2020), the compute the laws are stated in; of experts N counts the active."""
    return 6.0 * params * tokens


def model_flops_utilization(
    model: TransformerConfig, params: int, context: int, tokens_per_second: float
) -> float | None:
    """Share of the devices' dense bf16 peak spent on 6N + 12 layers dim context FLOPs a token.

    The second term is attention's (Chowdhery et al. 2022, appendix B). None where the peak is not known, as
    for CPUs.
    """
    peak = PEAK_FLOPS.get(jax.devices()[0].device_kind)
    if peak is None:
        return None
    flops_per_token = 6 * params + 12 * model.layers * model.heads * model.head_dim * context
    return flops_per_token * tokens_per_second / (peak * jax.device_count())


def device_memory() -> dict[str, int]:
    """Bytes in use and at most so far, of this process's fullest device; nothing where it does not say."""
    stats = [stats for stats in (device.memory_stats() for device in jax.local_devices()) if stats]
    names = {"memory_bytes": "bytes_in_use", "memory_peak_bytes": "peak_bytes_in_use"}
    return {ours: max(s[theirs] for s in stats) for ours, theirs in names.items() if stats}
