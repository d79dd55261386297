"""Pieces of recordings through the model, in batches of a few fixed shapes over all local devices.

A piece's length alone decides the shape in which it is computed on its device, so that neither its neighbours
nor the size of a batch nor the number of devices can move a feature.
"""

import collections
import functools
import os
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from slm_jax.tokenizer.hubert.config import HubertConfig
from slm_jax.tokenizer.hubert.convolutions import GroupNorm
from slm_jax.tokenizer.hubert.model import Hubert
from slm_jax.tokenizer.hubert.pieces import Piece
from slm_jax.tokenizer.hubert.weights import Weights

STEPS_PER_OCTAVE = 8  # lengths between two powers of two: padding stays below an eighth
BATCH_FRAMES = 16_384  # on one accelerator at once; a CPU gains nothing from a batch and takes one piece
AHEAD = 2  # batches handed to the devices before the first is waited for


def bucket(frames: int) -> int:
    """The padded length of a piece: the next of eight lengths per octave."""
    step = 1 << max(0, (frames - 1).bit_length() - STEPS_PER_OCTAVE.bit_length())
    return -(-frames // step) * step


class Program:
    """The model on the local devices."""

    def __init__(self, config: HubertConfig, folder: str | os.PathLike, layer: int, dtype: str):
        weights = Weights(folder)
        self._config = config
        self._group_norm = GroupNorm(config, weights) if config.feat_extract_norm == "group" else None
        graph, state = nnx.split(Hubert(config, weights, layer, jnp.dtype(dtype)))
        self._mesh = Mesh(jax.local_devices(), ("batch",), axis_types=(AxisType.Auto,))
        self._state = jax.device_put(state, NamedSharding(self._mesh, PartitionSpec()))
        self._rows = NamedSharding(self._mesh, PartitionSpec("batch"))

        def run(state, wave_BxS, frames_B, group_norm_Bx2xC):
            group_norm = None if group_norm_Bx2xC is None else jnp.moveaxis(group_norm_Bx2xC, 1, 0)
            return nnx.merge(graph, state)(wave_BxS, frames_B, group_norm)

        split = (PartitionSpec(), *(PartitionSpec("batch"),) * 3)
        self._run = jax.jit(
            jax.shard_map(run, mesh=self._mesh, in_specs=split, out_specs=split[1], check_vma=False)
        )

    def __call__(self, pieces: Sequence[Piece]) -> list[np.ndarray]:
        """The kept frames of each piece, float32."""
        features = [None] * len(pieces)
        running = collections.deque()
        for indices, length in self._batches(pieces):
            running.append((indices, self._start([pieces[index] for index in indices], length)))
            if len(running) > AHEAD:
                _collect(*running.popleft(), pieces, features)
        while running:
            _collect(*running.popleft(), pieces, features)
        return features

    def _batches(self, pieces: Sequence[Piece]) -> Iterator[tuple[list[int], int]]:
        by_length = collections.defaultdict(list)
        for index, piece in enumerate(pieces):
            by_length[bucket(self._config.frames(len(piece.wave_S)))].append(index)
        for length, indices in sorted(by_length.items()):
            size = self._rows_of(length) * self._mesh.size
            for start in range(0, len(indices), size):
                yield indices[start : start + size], length

    @functools.cached_property
    def _frames_at_once(self) -> int:
        return 1 if self._mesh.devices[0].platform == "cpu" else BATCH_FRAMES

    def _rows_of(self, length: int) -> int:
        return max(1, self._frames_at_once // length)

    def _start(self, pieces: list[Piece], length: int) -> jax.Array:
        rows = self._rows_of(length) * self._mesh.size
        wave_BxS = np.zeros((rows, self._config.samples(length)), np.float32)
        frames_B = np.ones(rows, np.int32)  # a row without a piece holds one frame: no share of nothing
        group_norm_Bx2xC = None
        if self._group_norm is not None:
            group_norm_Bx2xC = np.zeros((rows, 2, self._config.conv_dim[0]), np.float32)
        for row, piece in enumerate(pieces):
            frames_B[row] = self._config.frames(len(piece.wave_S))
            used_S = piece.wave_S[: self._config.samples(int(frames_B[row]))]
            wave_BxS[row, : len(used_S)] = used_S
            if self._group_norm is not None:
                group_norm_Bx2xC[row] = self._group_norm(piece.statistics_S)
        return self._run(self._state, *jax.device_put((wave_BxS, frames_B, group_norm_Bx2xC), self._rows))


def _collect(indices: list[int], hidden_BxTxD: jax.Array, pieces: Sequence[Piece], features: list) -> None:
    for index, hidden_TxD in zip(indices, np.asarray(hidden_BxTxD), strict=False):  # rows may be left over
        features[index] = hidden_TxD[pieces[index].keep].copy()
