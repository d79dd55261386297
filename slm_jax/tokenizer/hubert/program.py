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
from slm_jax.tokenizer.hubert.frontend import Frontend
from slm_jax.tokenizer.hubert.pieces import Piece
from slm_jax.tokenizer.hubert.transformer import Layer
from slm_jax.weights import Weights

PREFIX = "hubert."  # of the tensors of HubertForCTC and its like
STEPS_PER_OCTAVE = 8  # lengths between two powers of two: padding stays below an eighth
BATCH_FRAMES = 16_384  # on one accelerator at once; a CPU gains nothing from a batch and takes one piece
WHOLE, ROWS = PartitionSpec(), PartitionSpec("batch")
AHEAD = 2  # batches handed to the devices before the first is waited for


def bucket(frames: int) -> int:
    """The padded length of a piece: the next of eight lengths per octave."""
    step = 1 << max(0, (frames - 1).bit_length() - STEPS_PER_OCTAVE.bit_length())
    return -(-frames // step) * step


@functools.partial(jax.jit, static_argnames=("mesh", "graph"))
def _run(mesh: Mesh, graph: nnx.GraphDef, state: nnx.State, *arrays_Bx: jax.Array | None) -> jax.Array:
    """A module on each device's rows, as if there were no other device.

    Accelerators would round float32 to TF32 (NVIDIA) or bfloat16 (TPU) in products; bfloat16 is not affected.
    """
    with jax.default_matmul_precision("highest"):
        return jax.shard_map(
            lambda state, *arrays_Bx: nnx.merge(graph, state)(*arrays_Bx),
            mesh=mesh,
            in_specs=(WHOLE, *(ROWS for _ in arrays_Bx)),
            out_specs=ROWS,
            check_vma=False,
        )(state, *arrays_Bx)


class Program:
    """The model up to hidden state `layer` on the local devices; nothing after it is read or computed.

    A layer is a call of its own: one compilation per length then serves them all.
    """

    def __init__(self, config: HubertConfig, folder: str | os.PathLike, layer: int, dtype: str):
        weights = Weights(folder, PREFIX)
        self._config = config
        self._mesh = Mesh(jax.local_devices(), ("batch",), axis_types=(AxisType.Auto,))
        self._rows = NamedSharding(self._mesh, ROWS)
        self.group_norm = GroupNorm(config, weights) if config.feat_extract_norm == "group" else None
        self._frontend = self._place(Frontend(config, weights, jnp.dtype(dtype)))
        self._layers = [self._place(Layer(config, weights, i, jnp.dtype(dtype))) for i in range(layer)]

    def _place(self, module: nnx.Module) -> tuple[nnx.GraphDef, nnx.State]:
        graph, state = nnx.split(module)
        return graph, jax.device_put(state, NamedSharding(self._mesh, WHOLE))

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
        if self.group_norm is not None:
            group_norm_Bx2xC = np.zeros((rows, 2, self._config.conv_dim[0]), np.float32)
        for row, piece in enumerate(pieces):
            frames_B[row] = self._config.frames(len(piece.wave_S))
            used_S = piece.wave_S[: self._config.samples(int(frames_B[row]))]
            wave_BxS[row, : len(used_S)] = used_S
            if self.group_norm is not None:
                group_norm_Bx2xC[row] = piece.group_norm()
        wave_BxS, frames_B, group_norm_Bx2xC = jax.device_put(
            (wave_BxS, frames_B, group_norm_Bx2xC), self._rows
        )
        hidden_BxTxD = _run(self._mesh, *self._frontend, wave_BxS, frames_B, group_norm_Bx2xC)
        for layer in self._layers:
            hidden_BxTxD = _run(self._mesh, *layer, hidden_BxTxD, frames_B)
        return hidden_BxTxD


def _collect(indices: list[int], hidden_BxTxD: jax.Array, pieces: Sequence[Piece], features: list) -> None:
    for index, hidden_TxD in zip(indices, np.asarray(hidden_BxTxD), strict=False):  # rows may be left over
        features[index] = hidden_TxD[pieces[index].keep].astype(np.float32)
