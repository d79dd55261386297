"""The nearest centroid of each frame on the local devices, for encoders that run there."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from slm_jax.tokenizer.units import assign, distances, rounding

FRAMES = 2048  # of a block, on each device: enough to keep it busy, and few to pad the last one with
DISTANCES = 2**26  # of a block, on each device: 256 MB


def assign_on_device(features_TxD: np.ndarray, centroids_KxD: np.ndarray) -> np.ndarray:
    """What `units.assign` gives, bit by bit: frames whose unit float32 cannot tell are left to it."""
    mesh = Mesh(jax.local_devices(), ("frames",), axis_types=(AxisType.Auto,))
    rows, whole = NamedSharding(mesh, PartitionSpec("frames")), NamedSharding(mesh, PartitionSpec())
    centroids_KxD = np.asarray(centroids_KxD, np.float32)
    features_TxD = np.asarray(features_TxD, np.float32)
    if not (frames := len(features_TxD)):
        return np.zeros(0, np.uint16)
    share = 1 << (-(-frames // mesh.size) - 1).bit_length()  # a power of two: few shapes to compile
    block = mesh.size * min(share, FRAMES, DISTANCES // len(centroids_KxD))
    on_device_KxD = jax.device_put(centroids_KxD, whole)
    found = []
    for start in range(0, frames, block):
        features_BxD = features_TxD[start : start + block]
        padded_BxD = np.pad(features_BxD, ((0, block - len(features_BxD)), (0, 0)))
        found.append(_nearest(jax.device_put(padded_BxD, rows), on_device_KxD))
    units_T, is_sure_T = (
        np.concatenate([np.asarray(part) for part in parts])[:frames] for parts in zip(*found, strict=True)
    )
    units_T = units_T.astype(np.uint16)
    units_T[~is_sure_T] = assign(features_TxD[~is_sure_T], centroids_KxD)
    return units_T


@jax.jit
def _nearest(features_BxD: jax.Array, centroids_KxD: jax.Array) -> tuple[jax.Array, jax.Array]:
    """units_B, and whether no other centroid is as near within the rounding."""
    with jax.default_matmul_precision("highest"):
        distances_BxK = distances(features_BxD, centroids_KxD)
    units_B = distances_BxK.argmin(-1)
    is_unit_BxK = jnp.arange(len(centroids_KxD)) == units_B[:, None]
    second_B = jnp.where(is_unit_BxK, jnp.inf, distances_BxK).min(-1)
    margin_B = rounding(features_BxD, (centroids_KxD * centroids_KxD).sum(-1))
    return units_B, second_B > distances_BxK.min(-1) + margin_B
