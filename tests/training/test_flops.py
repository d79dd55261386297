"""The peak that a device is known by: its own, not that of another whose name begins alike."""

import types

import jax
import pytest

from slm_jax.model import TransformerConfig
from slm_jax.training.reporting import flops

MODEL = TransformerConfig(vocab_size=12, layers=2, dim=8, heads=2, mlp_multiple=8)
PER_TOKEN = 6 * 1000 + 12 * 2 * 8 * 32


def utilization_on(kind, monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda: [types.SimpleNamespace(device_kind=kind)])
    return flops.model_flops_utilization(MODEL, 1000, 32, 1e9)


@pytest.mark.parametrize(
    ("kind", "teraflops"),
    [
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H100 NVL", 835),
        ("NVIDIA H200", 989),
        ("NVIDIA H200 NVL", 835),
        ("TPU v4", 275),
        ("TPU v5 lite", 197),
        ("TPU v5", 459),
    ],
)
def test_boards_of_one_name_have_peaks_of_their_own(kind, teraflops, monkeypatch):
    expected = PER_TOKEN * 1e9 / (teraflops * 1e12 * jax.device_count())
    assert utilization_on(kind, monkeypatch) == pytest.approx(expected)


@pytest.mark.parametrize(
    "kind", ["cpu", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "NVIDIA A100-SXM-64GB", "TPU v4 lite"]
)
def test_without_a_published_peak_there_is_no_utilization(kind, monkeypatch):
    assert utilization_on(kind, monkeypatch) is None
