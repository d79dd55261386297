"""From a config to datasets: what all runs of a study need; whatever is done is found done."""

import functools
import pathlib
from collections.abc import Sequence

from slm_jax.data import PairsDataset, TrainingRows, UnitDataset, format_statistics, open_dataset
from slm_jax.errors import InputError
from slm_jax.files import atomic_path
from slm_jax.study.config import StudyConfig
from slm_jax.study.folder import StudyFolder
from slm_jax.study.grid import ArmData
from slm_jax.study.tokens import Source


class Preparation:
    """The texts, tokenizers and datasets of a study."""

    def __init__(self, config: StudyConfig, folder: StudyFolder):
        self.config, self.folder = config, folder

    def write(self) -> None:
        """The corpora and tasks."""
        for name in self.config.corpora:
            self._write(self.config.corpus(name), self.folder.corpus(name))
        for name in self.config.tasks:
            self._write(self.config.task(name), self.folder.task(name))

    def tokenize(self) -> None:
        """The tokenizers, and every dataset that an arm needs; first those that other tokens are made of."""
        for tokens in self._ordered_tokens():
            kind, tokenizer = self.config.tokens_of(tokens), self.folder.tokenizer(tokens)
            if not tokenizer.exists():
                tokenizer.parent.mkdir(parents=True, exist_ok=True)
                for needed in kind.needs:
                    self._encode(needed, self.config.fitted_on)
                kind.fit(self.source(self.config.fitted_on), tokenizer, self.config.seed)
            for source in self._sources(tokens):
                self._encode(tokens, source)
        for arm in self.config.arms:
            self._check_lengths(arm)

    def arm_data(self) -> dict[str, ArmData]:
        """What the grid has to know of each arm's datasets."""
        return {name: self.data_of(name, arm.corpora) for name, arm in self.config.arms.items()}

    def data_of(self, arm: str, corpora: Sequence[str]) -> ArmData:
        """The same of some of an arm's corpora."""
        tokens, context = self.config.arms[arm].tokens, self.config.context_of(arm)
        datasets = [UnitDataset(self.folder.dataset(tokens, corpus)) for corpus in corpora]
        rows = TrainingRows(datasets, "train", context=context, seed=self.config.seed)
        return ArmData(datasets[0].vocab_size, rows.tokens)

    def _write(self, kind, out: pathlib.Path) -> None:
        if out.exists():
            return
        with atomic_path(out) as temporary:
            temporary.mkdir()
            kind.write(temporary, self.config.seed)

    def _ordered_tokens(self) -> list[str]:
        """Names of the tokens that arms use, and of those they need, which come first."""
        ordered: list[str] = []

        def add(name: str, above: tuple[str, ...]) -> None:
            if name in above:
                raise InputError(f"config.tokens.{name}: is made of itself ({' of '.join((*above, name))})")
            for needed in self.config.tokens_of(name).needs:
                add(needed, (*above, name))
            if name not in ordered:
                ordered.append(name)

        for arm in self.config.arms.values():
            add(arm.tokens, ())
        return ordered

    def _sources(self, tokens: str) -> list[str]:
        """Names of the corpora and tasks of the arms that use these tokens."""
        arms = [name for name, arm in self.config.arms.items() if arm.tokens == tokens]
        corpora = [corpus for arm in arms for corpus in self.config.arms[arm].corpora]
        return list(dict.fromkeys([*corpora, *(task for arm in arms for task in self.config.tasks_of(arm))]))

    def source(self, name: str) -> Source:
        if name in self.config.corpora:
            read = functools.partial(self.config.corpus(name).recordings, self.folder.corpus(name))
        else:
            read = functools.partial(self.config.task(name).recordings, self.folder.task(name))
        return Source(name, read, lambda tokens: self.folder.dataset(tokens, name))

    def _encode(self, tokens: str, source: str) -> None:
        kind, out = self.config.tokens_of(tokens), self.folder.dataset(tokens, source)
        if out.exists():
            return
        for needed in kind.needs:
            self._encode(needed, source)
        out.parent.mkdir(parents=True, exist_ok=True)
        kind.encode(self.source(source), self.folder.tokenizer(tokens), out)
        print(format_statistics(open_dataset(out)), flush=True)

    def _check_lengths(self, arm: str) -> None:
        """Raises InputError when a candidate is longer than the context of the arm's models."""
        context, tokens = self.config.context_of(arm), self.config.arms[arm].tokens
        for task in self.config.tasks_of(arm):
            dataset = PairsDataset(self.folder.dataset(tokens, task))
            longest = max(int(dataset.lengths(split).max()) for split in dataset.splits)
            if longest > context:
                raise InputError(
                    f"config.context of the arm {arm!r} is {context}, but a candidate in {dataset.directory} "
                    f"has {longest} tokens; run again with --config.arms.{arm}.context={longest} or more"
                )
