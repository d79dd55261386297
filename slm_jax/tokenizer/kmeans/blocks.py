"""Passes over the frames: block by block from memory or disk, each block spread over the local devices."""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from slm_jax.tokenizer.units import distances

BLOCK = 16_384  # frames a device takes at once
CHUNK = {"cpu": 512}  # frames whose distances to all centroids are held at once: what a core's cache takes
ACCELERATOR_CHUNK = 8192
RESIDENT = 2**30  # bytes of features a device keeps from pass to pass; more is read again each time


class Statistics(NamedTuple):
    """What one look at some frames gives; `units_M` and `squared_M` stay in the order of the frames."""

    units_B: jax.Array  # nearest centroid, the lower id wins a tie
    squared_B: jax.Array  # squared distance to it, 0 for padding
    sums_KxD: jax.Array
    counts_K: jax.Array


class Frames:
    """features_MxD (an array or a memory map) as blocks of equal shape on the devices."""

    def __init__(self, features_MxD: np.ndarray):
        self.features_MxD = features_MxD
        devices = jax.local_devices()
        self.mesh = Mesh(np.array(devices), ("frames",))
        self.rows = NamedSharding(self.mesh, PartitionSpec("frames"))
        self.chunk = CHUNK.get(devices[0].platform, ACCELERATOR_CHUNK)
        self.chunk = min(self.chunk, -(-len(features_MxD) // len(devices)))
        self._whole = len(devices) * self.chunk
        self.block = min(
            -(-len(features_MxD) // self._whole) * self._whole, BLOCK // self.chunk * self._whole
        )
        self._resident = features_MxD.nbytes <= RESIDENT * len(devices)
        self._kept: list = []

    def __len__(self) -> int:
        return len(self.features_MxD)

    def __iter__(self) -> Iterator[tuple[jax.Array, jax.Array]]:
        """(features_BxD, weights_B) of every block; the weight of padding is 0."""
        if self._kept:
            yield from self._kept
            return
        for start in range(0, len(self), self.block):
            block = self.put(self.features_MxD[start : start + self.block], self.block)
            if self._resident:
                self._kept.append(block)
            yield block

    def put(self, features_BxD: np.ndarray, size: int) -> tuple[jax.Array, jax.Array]:
        """Some frames on the devices, padded to `size` rows."""
        padding = size - len(features_BxD)
        weights_B = np.pad(np.ones(len(features_BxD), np.float32), (0, padding))
        padded_BxD = np.pad(np.asarray(features_BxD, np.float32), ((0, padding), (0, 0)))
        return jax.device_put(padded_BxD, self.rows), jax.device_put(weights_B, self.rows)

    def whole(self, size: int) -> int:
        """The least size of a batch of `size` frames that the devices share evenly."""
        return -(-size // self._whole) * self._whole

    def look(self, features_BxD: jax.Array, weights_B: jax.Array, centroids_KxD: jax.Array) -> Statistics:
        """Statistics of one block; sums and counts are over all devices."""
        return _look(features_BxD, weights_B, centroids_KxD, mesh=self.mesh, chunk=self.chunk)


def nearest(features_BxD: jax.Array, centroids_KxD: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(units_B, squared_B): the nearest centroid of each frame and the squared Euclidean distance to it."""
    # Centroids in rows: the minimum over them runs down columns, which compiles to vector instructions, and
    # finding where it lies is a second minimum, which XLA does faster on a CPU than one argmin.
    squared_KxB = distances(centroids_KxD, features_BxD) + (centroids_KxD * centroids_KxD).sum(-1)[:, None]
    least_B = squared_KxB.min(0)
    ids_Kx1 = jnp.arange(len(centroids_KxD), dtype=jnp.int32)[:, None]
    units_B = jnp.where(squared_KxB == least_B, ids_Kx1, len(centroids_KxD)).min(0)
    return units_B, jnp.maximum(least_B, 0.0)


@functools.partial(jax.jit, static_argnames=("mesh", "chunk"))
def _look(features_BxD, weights_B, centroids_KxD, *, mesh, chunk):
    def on_a_device(features_BxD, weights_B, centroids_KxD):
        chunks_NxCxD = features_BxD.reshape(-1, chunk, features_BxD.shape[1])
        units_B, squared_B = jax.tree.map(
            jnp.ravel, jax.lax.map(lambda chunk_CxD: nearest(chunk_CxD, centroids_KxD), chunks_NxCxD)
        )
        k = len(centroids_KxD)
        if mesh.devices.flat[0].platform == "cpu":
            sums_KxD = jax.ops.segment_sum(features_BxD * weights_B[:, None], units_B, k)
        else:  # a scatter there adds in an order that changes from run to run
            member_BxK = jax.nn.one_hot(units_B, k) * weights_B[:, None]
            sums_KxD = member_BxK.T @ features_BxD
        counts_K = jax.ops.segment_sum(weights_B.astype(jnp.int32), units_B, k)
        sums_KxD, counts_K = jax.lax.psum((sums_KxD, counts_K), "frames")
        return Statistics(units_B, squared_B * weights_B, sums_KxD, counts_K)

    rows, everywhere = PartitionSpec("frames"), PartitionSpec()
    return jax.shard_map(
        on_a_device,
        mesh=mesh,
        in_specs=(rows, rows, everywhere),
        out_specs=Statistics(rows, rows, everywhere, everywhere),
        check_vma=False,
    )(features_BxD, weights_B, centroids_KxD)
