"""The config files of the project: each is a run that the trainer takes, with the arithmetic it claims."""

import csv
import math
import pathlib

import numpy as np
import pytest

from slm_jax.cli.config import load_config
from slm_jax.errors import InputError
from slm_jax.model import SIZES, TransformerConfig, count_parameters
from slm_jax.study import TablesConfig, isoflop_grid, machine_for, parse_study, plan_budget
from slm_jax.tokenizer import MFCC, Tokenizer
from slm_jax.training import TrainConfig, estimated_bytes, parse_config, parse_dataclass

ROOT = pathlib.Path(__file__).parent.parent
CONFIGS = ROOT / "configs"
BUDGETS = sorted((CONFIGS / "budgets").glob("*.py"))
ENDPOINT = CONFIGS / "paper" / "endpoint.py"
DEVICES = {
    "laptop CPU": 1,
    "one GPU of 80 GB": 1,
    "8 GPUs of 80 GB": 8,
    "TPU v6e-32": 32,
    "TPU v6e-256": 256,
}
PUBLISHED = ROOT.parent / "shared" / "reference" / "slm_results.csv"

with (CONFIGS / "paper" / "endpoints.csv").open() as file:
    ENDPOINTS = list(csv.DictReader(file))


def train_config(path: pathlib.Path, argument: str = "") -> TrainConfig:
    return parse_config(
        load_config(f"{path}:{argument}" if argument else str(path), ["--config.data.path=x"])
    )


def parameters(config: TrainConfig) -> int:
    shape = {name: getattr(config.model, name) for name in ("layers", "dim", "heads", "mlp_multiple")}
    return count_parameters(TransformerConfig(vocab_size=502, **shape))


def flops(config: TrainConfig) -> float:
    return 6.0 * parameters(config) * config.steps * config.batch_size * config.context


def test_there_is_a_file_for_each_decade():
    assert [path.stem for path in BUDGETS] == [f"1e{decade}" for decade in range(12, 22)]


@pytest.mark.parametrize("path", BUDGETS, ids=lambda path: path.stem)
def test_every_run_of_a_budget_spends_it(path):
    budget = float(path.stem)
    for run in isoflop_grid(budget):
        config = train_config(path, run.size)
        assert flops(config) == pytest.approx(budget, rel=2e-3)  # in whole updates
        assert config.tokens == run.tokens
        assert config.tokens % (config.batch_size * config.context) == 0
        assert parameters(config) == run.params


@pytest.mark.parametrize("path", BUDGETS, ids=lambda path: path.stem)
def test_the_optimum_is_inside_its_grid(path):
    best = plan_budget(float(path.stem))["rows"][1]["params"]
    params = [run.params for run in isoflop_grid(float(path.stem))]
    assert len(params) >= 4
    assert sum(count < best for count in params) >= 1
    assert sum(count > best for count in params) >= 2
    assert all(best / 8 <= count <= best * 8 for count in params)
    chosen = parameters(train_config(path))
    assert max(chosen / best, best / chosen) == min(max(count / best, best / count) for count in params)


@pytest.mark.parametrize("path", BUDGETS, ids=lambda path: path.stem)
def test_the_state_fits_and_the_batch_splits_on_the_machine_that_is_named(path):
    machine = machine_for(float(path.stem))
    devices = DEVICES[machine.name]
    for run in isoflop_grid(float(path.stem)):
        config = train_config(path, run.size)
        assert devices % config.mesh.fsdp == 0
        assert config.batch_size % devices == 0
        assert config.mesh.data == -1
        assert machine.devices == devices
        assert 16 * run.params / config.mesh.fsdp <= machine.memory / 2
        if config.mesh.fsdp > 1:  # and not split further than that needs
            assert 16 * run.params / (config.mesh.fsdp / 2) > machine.memory / 2


def needed(config: TrainConfig, machine, windows: int, remat: str) -> float:
    """Bytes of an update on a device: `training.estimated_bytes` with these windows a pass on all devices."""
    shape = {name: getattr(config.model, name) for name in ("layers", "dim", "heads", "mlp_multiple")}
    return estimated_bytes(
        TransformerConfig(vocab_size=502, remat=remat, **shape),
        windows * config.context // machine.devices,
        number_bytes=4 if "CPU" in machine.name else 2,
        shards=config.mesh.fsdp,
        passes=config.batch_size // windows,
    )


@pytest.mark.parametrize("path", BUDGETS, ids=lambda path: path.stem)
def test_an_update_fits_with_its_activations_and_no_more_passes_than_that_needs(path):
    machine = machine_for(float(path.stem))
    for run in isoflop_grid(float(path.stem)):
        config = train_config(path, run.size)
        windows, remat = config.micro_batch or config.batch_size, config.model.remat
        assert config.batch_size % windows == windows % machine.devices == 0
        assert needed(config, machine, windows, remat) <= 0.8 * machine.memory
        if windows < config.batch_size:
            assert needed(config, machine, 2 * windows, remat) > 0.8 * machine.memory
        if remat != "none":  # nor is anything computed again without need
            cheaper = {"dots": "none", "full": "dots"}[remat]
            assert needed(config, machine, machine.devices, cheaper) > 0.8 * machine.memory


@pytest.mark.parametrize("name", ["20m-0p7b", "85m-1p4b", "155m-3p1b", "309m-3p0b", "823m-8p3b"])
def test_batches_are_those_of_the_study_within_a_factor_of_two(name):
    published = train_config(ENDPOINT, name)
    decade = round(math.log10(flops(published)))
    ours = train_config(CONFIGS / "budgets" / f"1e{decade}.py")
    assert 1 / 2.1 <= ours.tokens_per_step / published.tokens_per_step <= 2.1


@pytest.mark.parametrize("path", BUDGETS, ids=lambda path: path.stem)
def test_the_page_about_launching_says_what_the_rule_says(path):
    budget, config = float(path.stem), train_config(path)
    sizes = ", ".join(run.size for run in isoflop_grid(budget))
    windows, rate = f"{config.batch_size} of {config.context}", config.optimizer.peak_rate
    row = f"| {path.stem} | {machine_for(budget).name} | {sizes} | {windows} | {rate:g} |"
    assert row in (ROOT / "docs" / "launching.md").read_text(encoding="utf-8").splitlines()


def test_a_size_outside_the_grid_is_answered_with_the_grid():
    with pytest.raises(
        InputError, match=r"1e17\.py: '155M' is no size of the grid of 1e\+17 FLOPs; choose one of 2M"
    ):
        load_config(str(CONFIGS / "budgets" / "1e17.py") + ":155M")
    with pytest.raises(InputError, match="give a positive number up to 1e"):
        isoflop_grid(1e22)


def test_there_are_31_published_endpoints_of_the_five_sizes():
    assert len({row["name"] for row in ENDPOINTS}) == len(ENDPOINTS) == 31
    assert {row["size"] for row in ENDPOINTS} == {"20M", "85M", "155M", "309M", "823M"}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda row: row["name"])
def test_an_endpoint_has_the_published_parameters_tokens_and_whole_updates(endpoint):
    config = train_config(ENDPOINT, endpoint["name"])
    params, tokens = int(endpoint["params"]), int(endpoint["tokens"])
    assert parameters(config) == params
    assert config.context == 2050
    assert config.steps * config.batch_size * config.context == tokens  # no rounding
    assert flops(config) == 6.0 * params * tokens
    assert config.optimizer.peak_rate == 5e-4


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published table is not beside the project")
def test_the_endpoints_are_those_of_the_published_table():
    with PUBLISHED.open() as file:
        published = [
            (row["model"], int(row["params"]), int(row["tokens"]), int(row["tokens_per_update"]))
            for row in csv.DictReader(file)
        ]
    ours = [train_config(ENDPOINT, row["name"]) for row in ENDPOINTS]
    assert [(c.name, parameters(c), c.tokens, c.tokens_per_step) for c in ours] == published


def test_without_a_name_the_endpoints_are_listed():
    for argument in ("", ":20M"):
        with pytest.raises(InputError, match=r"endpoint\.py: name an endpoint.*20m-0p7b, .*823m-82b"):
            load_config(f"{ENDPOINT}{argument}")


def test_the_other_configs_are_runs_and_studies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the pod's study expects its tokenizer
    (tmp_path / "data").mkdir()
    Tokenizer(MFCC(), np.random.default_rng(0).normal(size=(5, 26))).save(tmp_path / "data" / "tokenizer")
    assert train_config(CONFIGS / "cpu_small.py").model.dim == SIZES["170k"]["dim"]
    studies = {path.stem: load_config(str(path)) for path in (CONFIGS / "studies").glob("*.py")}
    assert parse_dataclass(TablesConfig, studies.pop("published")).tables
    for config in studies.values():
        assert parse_study(config).grid.budgets


def test_what_follows_the_colon_is_the_argument(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(
        "from slm_jax.training import default_config\n"
        "def get_config(name='nothing'):\n"
        "    config = default_config()\n"
        "    config.name = name\n"
        "    return config\n"
    )
    assert load_config(str(path))["name"] == "nothing"
    assert load_config(f"{path}:a-b")["name"] == "a-b"
    assert load_config(f"{path}:a", ["--config.name=b"])["name"] == "b"  # what is set by name comes last
    with pytest.raises(
        InputError, match=r"cpu_small\.py: its get_config\(\) takes no argument; leave out :20M"
    ):
        load_config(f"{CONFIGS / 'cpu_small.py'}:20M")


def test_a_file_whose_name_has_a_colon_is_that_file(tmp_path):
    path = tmp_path / "a:b.py"
    path.write_text((CONFIGS / "cpu_small.py").read_text())
    assert load_config(str(path))["name"] == "cpu_small"
    with pytest.raises(InputError, match="no such config file"):
        load_config(f"{tmp_path}/none.py:20M")
