"""The receipt of a finished shard: all that is known of it without reading it again."""

import dataclasses
import json
import os

import numpy as np
import safetensors.numpy

from slm_jax.files import atomic_path


@dataclasses.dataclass
class ShardReceipt:
    """`lengths` of its R records (int32_R), how often its K units occur (int64_K), and the totals; `sources`
    has those of each source: records, units and seconds; `libraries` the versions that made the units, if
    known.
    """

    file: str
    sha256: str
    bytes: int
    record_bytes: int
    sources: dict[str, list[float]]
    lengths: np.ndarray
    unit_counts: np.ndarray
    libraries: dict[str, str] = dataclasses.field(default_factory=dict)


def write_receipt(path: str | os.PathLike, receipt: ShardReceipt, skipped: list[dict]) -> None:
    """Keeps a receipt, and the recordings that were to be in the shard and are not, in one file."""
    totals = {field: value for field, value in vars(receipt).items() if not isinstance(value, np.ndarray)}
    arrays = {"lengths": receipt.lengths, "unit_counts": receipt.unit_counts}
    notes = {"totals": json.dumps(totals), "skipped": json.dumps(skipped)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.numpy.save(arrays, metadata=notes))


def read_receipt(path: str | os.PathLike) -> tuple[ShardReceipt, list[dict]]:
    """The receipt and the skipped recordings."""
    with safetensors.safe_open(path, framework="numpy") as file:
        notes = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it has no iterator)
    return ShardReceipt(**json.loads(notes["totals"]), **arrays), json.loads(notes["skipped"])
