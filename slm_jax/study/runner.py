"""A study, stage by stage; every stage that is done is found done, so that running it again goes on."""

import dataclasses
import datetime
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable

import jax

from slm_jax import corpora, scaling
from slm_jax.data import (
    PairsDataset,
    UnitDataset,
    Windows,
    encode_recordings,
    format_statistics,
    open_dataset,
)
from slm_jax.errors import InputError
from slm_jax.evaluation import evaluate, heldout_loss, open_run, write_result
from slm_jax.files import read_json, write_json
from slm_jax.model import share_cpu_among_devices
from slm_jax.study.config import StudyConfig, parse_study
from slm_jax.study.plan import PlannedRun, plan_grid
from slm_jax.study.report import write_report
from slm_jax.study.results import read_curves, write_results
from slm_jax.tokenizer import fit_tokenizer, make_encoder
from slm_jax.training import TrainingDiverged, train
from slm_jax.versions import versions

SPOKEN = {
    "stories": corpora.story_utterances,
    "pairs": corpora.pair_utterances,
    "cloze": corpora.cloze_utterances,
}
# A token costs this much beside its matrix products (attention, softmax, norms), measured on CPU.
PARAMS_WORTH_OF_OVERHEAD = 80_000
TASKS = {"minimal_pairs": "pairs", "topic_cloze": "cloze"}


def run_study(config, study_dir: str | os.PathLike) -> pathlib.Path:
    """Runs a study from text to report; returns the report's path.

    `config` is a ConfigDict or mapping with the fields of StudyConfig. A stage or run that is done is not
    done again. Raises InputError for a bad config, or a folder that holds another study.
    """
    return Study(parse_study(config), study_dir).run()


class Study:
    """One study in its folder; the methods are its stages, in order."""

    def __init__(self, config: StudyConfig, study_dir: str | os.PathLike):
        self.config, self.dir = config, pathlib.Path(study_dir)
        self.timings: dict[str, float] = {}
        if (self.dir / "timings.json").exists():
            self.timings = read_json(self.dir / "timings.json")

    def run(self) -> pathlib.Path:
        self._claim()
        share_cpu_among_devices(self.config.batch_size)
        _keep_compilations(self.dir / "compile_cache")
        stages = {
            "Writing stories and minimal pairs": self.write_text,
            "Speaking them": self.speak,
            "Fitting the speech tokenizer": self.fit_tokenizer,
            "Encoding speech into units": self.encode,
            "Training the grid": self.train,
            "Scoring the models": self.evaluate,
            "Fitting scaling laws": self.fit,
            "Writing the report": self.report,
        }
        for number, (title, stage) in enumerate(stages.items(), start=1):
            print(f"[{number}/{len(stages)}] {title}", flush=True)
            self._timed(title, stage)
        return self.dir / "report.html"

    def write_text(self) -> None:
        corpora.write_corpus(
            self.dir / "text", seed=self.config.seed, **dataclasses.asdict(self.config.corpus)
        )

    def speak(self) -> None:
        for name, utterances in SPOKEN.items():
            corpora.speak(utterances(self.dir / "text"), self.dir / "speech" / name)

    def fit_tokenizer(self) -> None:
        if (self.dir / "tokenizer").exists():
            return
        config = self.config.tokenizer
        tokenizer = fit_tokenizer(
            corpora.read_manifest(self.dir / "speech" / "stories" / "manifest.jsonl"),
            encoder=make_encoder(config.encoder, {"frame_rate": config.frame_rate}),
            k=config.units,
            seed=self.config.seed,
            sample_seconds=config.sample_seconds,
        )
        tokenizer.save(self.dir / "tokenizer")

    def encode(self) -> None:
        for name in SPOKEN:
            recordings = corpora.read_manifest(self.dir / "speech" / name / "manifest.jsonl")
            encode_recordings(recordings, self.dir / "tokenizer", self.dir / "data" / name, name=name)
            dataset = open_dataset(self.dir / "data" / name)
            print(format_statistics(dataset), flush=True)
            longest = max(int(dataset.lengths(split).max()) for split in dataset.splits)
            if dataset.kind == PairsDataset.kind and longest > self.config.context:
                raise InputError(
                    f"config.context is {self.config.context}, but a candidate in {dataset.directory} has "
                    f"{longest} units; start again with a context of at least {longest}"
                )

    def train(self) -> None:
        runs = self._plan()
        todo = [run for run in runs if not (self.dir / "runs" / run.name / "summary.json").exists()]
        failed, left, done, started = [], sum(map(_work, todo)), 0.0, time.monotonic()
        for run in todo:
            what = f"  run {runs.index(run) + 1} of {len(runs)}: {run.params:,} parameters"
            what += f", {run.tokens:,} tokens"
            minutes = left * (time.monotonic() - started) / done / 60 if done else None
            print(what if minutes is None else f"{what}, about {minutes:.0f} min left", flush=True)
            reason = self._train_one(run)
            if reason:
                failed.append({"name": run.name, "reason": reason})
            done, left = done + _work(run), left - _work(run)
        write_json(self.dir / "failed.json", failed)

    def evaluate(self) -> None:
        dataset = UnitDataset(self.dir / "data" / "stories")
        for run_dir in self._finished():
            if (run_dir / "heldout.json").exists():
                continue
            run = open_run(run_dir)
            words = []
            for task, data in TASKS.items():
                result = evaluate(run, self.dir / "data" / data, task=task)
                write_result(result, run_dir / f"{task}.json")
                words.append(f"{task.replace('_', ' ')} {result['accuracy']['macro']['value']:.3f}")
            loss = heldout_loss(run.model, dataset, "validation", context=run.context)
            write_json(run_dir / "heldout.json", dataclasses.asdict(loss))
            print(f"  {run.name}: {loss.nats_per_token:.3f} nats per token, {', '.join(words)}", flush=True)

    def fit(self) -> None:
        write_results(self.dir / "results.csv", self._finished(), self._tokenizer_name(), list(TASKS))
        curves = read_curves(self._finished())
        table = scaling.read_runs(self.dir / "results.csv")
        laws = scaling.fit(table, seed=self.config.seed, resamples=self.config.resamples, curves=curves)
        write_json(self.dir / "laws.json", laws)
        scaling.write_figures(table, laws, self.dir / "figures", curves=curves)
        print(scaling.format_summary(laws), flush=True)

    def report(self) -> None:
        write_json(self.dir / "timings.json", self.timings)
        write_report(self.dir)

    def _train_one(self, run: PlannedRun) -> str | None:
        """Trains a run; returns why it failed, which does not stop the others."""
        config = self.config.run(
            name=run.name, size=run.size, tokens=run.tokens, data=str(self.dir / "data" / "stories")
        )
        try:
            train(config, self.dir / "runs" / run.name)
        except TrainingDiverged as error:
            print(f"  {run.name} failed: {error}", file=sys.stderr, flush=True)
            return str(error)
        return None

    def _plan(self) -> list[PlannedRun]:
        dataset = UnitDataset(self.dir / "data" / "stories")
        windows = Windows(dataset, "train", self.config.context)
        runs = plan_grid(self.config, vocab_size=dataset.vocab_size, stream_tokens=windows.tokens)
        plan = read_json(self.dir / "plan.json")
        write_json(self.dir / "plan.json", plan | {"runs": [dataclasses.asdict(run) for run in runs]})
        return runs

    def _finished(self) -> list[pathlib.Path]:
        """Folders of the runs that trained to the end, in the order of the plan."""
        folders = [self.dir / "runs" / run["name"] for run in read_json(self.dir / "plan.json")["runs"]]
        finished = [folder for folder in folders if (folder / "summary.json").exists()]
        if len(finished) < 2:
            raise InputError(
                f"{self.dir}: only {len(finished)} runs finished, too few for a study; see failed.json"
            )
        return finished

    def _tokenizer_name(self) -> str:
        config = self.config.tokenizer
        return f"{config.encoder}-{config.frame_rate}hz-k{config.units}"

    def _claim(self) -> None:
        """Writes plan.json, or checks that the folder holds this study."""
        path, config = self.dir / "plan.json", dataclasses.asdict(self.config)
        if path.exists():
            found = read_json(path).get("config", {})
            # Tuples became lists in the file.
            changed = [name for name in config if _plain(found.get(name)) != _plain(config[name])]
            if changed:
                raise InputError(
                    f"{path}: this folder holds a study with another config.{changed[0]}; give another "
                    "--workdir, or remove the folder to start over"
                )
            return
        write_json(
            path,
            {
                "name": self.config.name,
                "title": self.config.title,
                "config": config,
                "runs": [],
                "seed": self.config.seed,
                "versions": versions(),
                "command": shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
                "commit": _commit(),
                "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
                "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            },
        )

    def _timed(self, title: str, stage: Callable[[], None]) -> None:
        """Runs a stage and adds to its time, over restarts."""
        started = time.monotonic()
        try:
            stage()
        finally:
            self.timings[title] = round(self.timings.get(title, 0.0) + time.monotonic() - started, 1)
            write_json(self.dir / "timings.json", self.timings)


def _work(run: PlannedRun) -> float:
    """What a run's time is about proportional to, over sizes a thousandfold apart."""
    return run.tokens * (run.params + PARAMS_WORTH_OF_OVERHEAD)


def _keep_compilations(compile_cache: pathlib.Path) -> None:
    """Runs of one size are compiled once, over restarts too."""
    jax.config.update("jax_compilation_cache_dir", os.fspath(compile_cache.absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def _plain(value):
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _commit() -> str | None:
    """The commit of the checkout this package runs from, with "+" when it has changes; None outside one."""
    git = ["git", "-C", os.fspath(pathlib.Path(__file__).parent)]
    head = [*git, "rev-parse", "--short", "HEAD"]
    try:
        found = subprocess.check_output(head, stderr=subprocess.DEVNULL, text=True)
        changes = subprocess.check_output([*git, "status", "--porcelain", "-uno"], text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.strip() + ("+" if changes.strip() else "")
