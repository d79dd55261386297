"""The verb that fits laws."""

from slm_jax.cli.arguments import Verbs, at_least, check_output, setting


def add_verbs(verbs: Verbs) -> None:
    sub = verbs.add("fit", _fit, "fit the scaling laws to a table with columns params, tokens, loss")
    sub.add_argument("table", metavar="CSV")
    sub.add_argument("--out", required=True, metavar="FILE", help="the laws as JSON")
    sub.add_argument("--figures", metavar="DIR", help="also draw the figures there")
    sub.add_argument("--resamples", type=at_least(1), default=1000, help="bootstrap resamples (default 1000)")
    sub.add_argument("--seed", type=at_least(0), default=0)
    sub.add_argument(
        "--chance",
        action="append",
        type=setting,
        default=[],
        metavar="TASK=SHARE",
        help="accuracy of guessing where it is not 0.5, as four_choices=0.25; may be repeated",
    )


def _fit(options) -> None:
    from slm_jax.files import write_json
    from slm_jax.scaling import fit, format_summary, read_runs, write_figures

    check_output(options.out, "groups")
    runs = read_runs(options.table)
    laws = fit(runs, seed=options.seed, resamples=options.resamples, chance=dict(options.chance))
    write_json(options.out, laws)
    if options.figures:
        write_figures(runs, laws, options.figures)
    print(format_summary(laws))
