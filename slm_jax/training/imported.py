"""A run directory of another project's model, which `slm evaluate` and `slm export` take as any run."""

import dataclasses
import os
import pathlib

from flax import nnx

from slm_jax.errors import InputError
from slm_jax.files import is_empty, write_json
from slm_jax.model import ModelConfig, count_parameters, import_model, select_tokens
from slm_jax.tokenizer import TEXT, fingerprint, kind_of, read_config
from slm_jax.training.checkpointing.checkpoints import Checkpoints
from slm_jax.training.config import DataConfig, TrainConfig
from slm_jax.training.run_folder import CONFIG, SUMMARY
from slm_jax.training.step import TrainState
from slm_jax.versions import versions


def import_run(
    source: str | os.PathLike,
    run_dir: str | os.PathLike,
    *,
    tokenizer_dir: str | os.PathLike,
    first_unit: int = 0,
    eos: int | None = None,
    pad: int | None = None,
    name: str = "",
) -> dict:
    """Writes the model in the folder `source` (see `import_model`) as a run with one checkpoint, of step 0.

    The source does not say which units it was trained on: `tokenizer_dir` is the tokenizer that makes them,
    and what the run is evaluated on must come from it. Unit u is token first_unit + u of the source. `eos`
    and `pad` are its tokens of these roles: by default what its config names, or else what follows the units.
    Its other tokens are left out, so that units, EOS and PAD alone share the probability.

    A text model has them among the tokens of its text tokenizer, which says which one begins a text (BOS, or
    else EOS): the run's EOS stands for it, and in its old place it is no longer predicted.

    Returns the summary. Raises InputError for a source or tokenizer that cannot be read, tokens the source
    does not have, or a folder that is not empty.
    """
    run_dir = pathlib.Path(run_dir)
    if not is_empty(run_dir):
        raise InputError(f"{run_dir}: is not empty; give a new folder for the imported model")
    tokenizer = read_config(tokenizer_dir)
    model, config, notes = import_model(source)
    end = first_unit + tokenizer["k"]
    is_text = kind_of(tokenizer) == TEXT
    special = tokenizer["special"] if is_text else {}
    eos = _first_known(eos, special.get("bos"), special.get("eos"), notes["eos"], end)
    pad = _first_known(pad, special.get("pad"), notes["pad"], eos if is_text else end + 1)
    ids = [*range(first_unit, end), eos, pad]
    if not is_text and len(set(ids)) < len(ids):
        raise InputError(
            f"{source}: one token has two roles (units {first_unit}..{end - 1}, EOS {eos}, PAD {pad}); "
            "say with first_unit, eos and pad which they are"
        )
    model = select_tokens(model, ids, unused=_stood_for(ids))
    train = TrainConfig(
        name=name or pathlib.Path(source).absolute().name,
        tokens=1,  # how many the source has seen is not known
        context=notes["context"],
        data=DataConfig(path=os.path.abspath(tokenizer_dir)),
        model=ModelConfig(**{f.name: getattr(config, f.name) for f in dataclasses.fields(ModelConfig)}),
    )
    with Checkpoints(run_dir, keep=1) as checkpoints:
        checkpoints.save(0, TrainState(nnx.to_pure_dict(nnx.state(model)), optimizer={}))
    content = {
        "train": dataclasses.asdict(train),
        "model": dataclasses.asdict(model.config),
        "data": {"fingerprint": None, "tokenizer_fingerprint": fingerprint(tokenizer)},
    }
    write_json(run_dir / CONFIG, content)
    summary = {
        "name": train.name,
        "params": count_parameters(model.config),
        "tokens": None,
        "imported": {
            "source": os.fspath(source),
            "family": notes["family"],
            "params": count_parameters(config),
            "tokens_left_out": config.vocab_size - len(set(ids)),
            "first_unit": first_unit,
            "eos": eos,
            "pad": pad,
        },
        "versions": versions(),
    }
    write_json(run_dir / SUMMARY, summary)
    return summary


def _stood_for(ids: list[int]) -> list[int]:
    """The places of units that are EOS, the last but one of `ids`; and PAD's if it is one of the others."""
    *units, eos, pad = ids
    places = [place for place, token in enumerate(units) if token == eos]
    return places + ([len(ids) - 1] if pad in (*units, eos) else [])


def _first_known(*values: int | None) -> int:
    return next(value for value in values if value is not None)
