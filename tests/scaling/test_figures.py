import itertools
import struct

import matplotlib
import numpy as np
import pytest
from law_tables import LAW, isoflop_grid, law_loss, noisy_loss, write_table
from matplotlib.figure import Figure

from slm_jax.files import read_json
from slm_jax.scaling import fit, merge_tables, published_runs, published_table, read_runs, write_contours
from slm_jax.scaling.figures import write_figures
from slm_jax.scaling.figures.groups import draw_groups
from slm_jax.scaling.figures.style import SETTINGS, label_ends, new_figure


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A table with isoFLOP bowls, a task and training curves, and its laws."""
    folder = tmp_path_factory.mktemp("study")
    params, tokens = isoflop_grid(5, 4)
    loss = noisy_loss(params, tokens, 0.002)
    names = [f"run-{i}" for i in range(len(params))]
    columns = {"model": names, "params": params, "tokens": tokens, "loss": loss, "pairs": 1.2 - 0.1 * loss}
    share = np.geomspace(0.02, 1, 30)
    curves = {
        name: (6 * n * d * share, law_loss(n, d * share), float(n))
        for name, n, d in zip(names, params, tokens, strict=True)
    }
    runs = read_runs(write_table(folder / "results.csv", columns))
    return runs, fit(runs, resamples=30, curves=curves), curves


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    path = tmp_path_factory.mktemp("published") / "results.csv"
    merge_tables([published_table("speech"), published_table("pythia")], path)
    runs = read_runs(path)
    return runs, fit(runs, resamples=100)


def size_of(png) -> tuple[int, int]:
    return struct.unpack(">II", png.read_bytes()[16:24])


def test_every_figure_as_pdf_svg_and_png(study, tmp_path):
    runs, laws, curves = study
    written = write_figures(runs, laws, tmp_path, curves)
    names = ["loss_compute", "isoflop", "loss_law", "loss_accuracy_pairs", "accuracy_compute_pairs"]
    assert list(written) == read_json(tmp_path / "figures.json") == names
    for name in names:
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        svg = (tmp_path / f"{name}.svg").read_text()
        assert svg.rstrip().endswith("</svg>")
        assert size_of(written[name]) == (1240, 780)  # 6.2 x 3.9 inches at 200 dpi


def test_groups_without_losses(published, tmp_path):
    runs, laws = published
    names = list(write_figures(runs, laws, tmp_path))
    assert "groups_blimp" in names and "loss_accuracy_tstorycloze_speech" in names
    assert "accuracy_compute_blimp_text" in names
    assert not any(name.startswith(("loss_compute", "isoflop", "loss_law")) for name in names)


def texts(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.axes[0].texts)


def test_an_extrapolated_crossing_is_marked_as_such(published):
    runs, laws = published
    figure = draw_groups(runs.groups(), laws, "blimp")
    told = texts(figure)
    assert "speech reaches the best text run" in told and "extrapolated" in told
    level = laws["comparisons"][0]["levels"][1]
    (cross,) = [line for line in figure.axes[0].lines if line.get_marker() == "X"]
    assert np.log10(cross.get_xdata()[0]) == pytest.approx(level["log10_flops"]["speech"]["value"])
    assert cross.get_ydata()[0] == pytest.approx(runs.tasks["blimp"].accuracy_R.max())
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "extrapolated" in legend and "were it not to saturate" in legend


def test_no_crossing_is_drawn_where_none_is_near(published):
    runs, laws = published
    laws = {
        **laws,
        "comparisons": [
            {**laws["comparisons"][0], "levels": [dict(level) for level in laws["comparisons"][0]["levels"]]}
        ],
    }
    far = {name: {"value": 80.0, "low": None, "high": None} for name in ("speech", "text")}
    laws["comparisons"][0]["levels"][1]["log10_flops"] = far
    assert "reaches" not in texts(draw_groups(runs.groups(), laws, "blimp"))


def test_contours_of_a_given_law_are_the_same_file_every_time(tmp_path):
    runs = published_runs("speech")
    path = write_contours(runs, LAW, tmp_path, "law", "law of a paper")
    assert size_of(path) == (1240, 780)
    again = write_contours(runs, LAW, tmp_path, "again", "law of a paper")
    for suffix in (".pdf", ".svg", ".png"):
        assert again.with_suffix(suffix).read_bytes() == path.with_suffix(suffix).read_bytes()


def test_labels_at_the_ends_of_curves_keep_apart():
    with matplotlib.rc_context(SETTINGS):
        figure, axes = new_figure("curves")
        axes.set_ylim(0, 1)
        figure.draw_without_rendering()
        label_ends(axes, [(1, 0.50, "one", "k"), (1, 0.505, "other", "k"), (1, 0.51, "two\nlines", "k")])
        figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.y0)
    assert all(lower.y1 <= upper.y0 + 1 for lower, upper in itertools.pairwise(boxes))
