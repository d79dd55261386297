"""Verbs that look at datasets."""

from slm_jax.cli.arguments import Verbs


def add_verbs(verbs: Verbs) -> None:
    dataset = verbs.group("dataset", "look at or check a dataset")
    dataset.add("info", _info, "hours, units and rates of each split").add_argument("dataset", metavar="DIR")
    dataset.add("validate", _validate, "compare every file with its checksum").add_argument(
        "dataset", metavar="DIR"
    )


def _info(options) -> None:
    from slm_jax.data import format_statistics, open_dataset

    print(format_statistics(open_dataset(options.dataset)))


def _validate(options) -> None:
    from slm_jax.data import open_dataset

    open_dataset(options.dataset).validate()
    print(f"{options.dataset}: every file matches its checksum")
