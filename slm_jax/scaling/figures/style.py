"""The one look of all figures: sizes, fonts, colours, ticks, bands, and how a figure is written."""

import pathlib
import re

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FuncFormatter,
    LogFormatterSciNotation,
    LogLocator,
    MaxNLocator,
    NullLocator,
    ScalarFormatter,
)

from slm_jax.files import atomic_path
from slm_jax.scaling.formatting import format_size

INCHES = (6.2, 3.9)
DOTS_PER_INCH = 200
LINE_COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73")  # Okabe and Ito 2008, for fits
POINT_MARKERS = ("o", "s", "^", "D", "v", "P")
EXTRAPOLATED = (0, (4, 2))
BAND = {"alpha": 0.15, "linewidth": 0}
MOST_LEGEND_SIZES = 9
FORMATS = {
    ".pdf": {"CreationDate": None},
    ".svg": {"Date": None},
    ".png": None,
}  # no date: same figure, same file
LABEL_GAP = 1.25  # lines of text between labels at the ends of curves
SETTINGS = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.5,
    "lines.markersize": 5.5,
    "svg.hashsalt": "slm_jax",  # the same figure gives the same file
    "pdf.fonttype": 42,  # text in the PDF stays text: journals refuse Type 3 fonts
}


def new_figure(title: str) -> tuple[Figure, Axes]:
    """An empty figure with one axes, outside pyplot's global state."""
    figure = Figure(figsize=INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(re.sub(r"-(?=\d)", "−", title), loc="left")
    return figure, axes


def write_figure(figure: Figure, folder: pathlib.Path, name: str) -> pathlib.Path:
    """Writes NAME.pdf, NAME.svg and NAME.png; returns the path of the PNG."""
    for suffix, metadata in FORMATS.items():
        with atomic_path(folder / (name + suffix)) as temporary:
            figure.savefig(temporary, format=suffix[1:], dpi=DOTS_PER_INCH, metadata=metadata)
    return folder / f"{name}.png"


class SizeColours:
    """A colour for each model size: viridis by log N, without its palest yellow; the same in all figures."""

    def __init__(self, sizes):
        low, high = np.log(min(sizes)), np.log(max(sizes))
        self._scale = Normalize(low, high if high > low else low + 1)

    def __call__(self, size: float):
        return matplotlib.colormaps["viridis"](0.87 * self._scale(np.log(size)))

    def legend_handles(self, sizes) -> list[Line2D]:
        """A marker for each of the sizes, or for a few evenly spread ones when there are many."""
        shown = sorted({float(size) for size in sizes})
        shown = [shown[i] for i in spread(len(shown), MOST_LEGEND_SIZES)]
        return [
            Line2D([], [], linestyle="", marker="o", color=self(size), label=format_size(size))
            for size in shown
        ]


def spread(count: int, most: int) -> list[int]:
    """All of 0..count-1, or `most` of them evenly spread with both ends."""
    return [round(i) for i in np.linspace(0, count - 1, min(count, most))]


def log_axis(axes: Axes, side: str, label: str, kind: str = "plain") -> None:
    """Makes an axis logarithmic, with ticks that suit its range; call it when everything is drawn.

    kind: "plain" numbers, "size" (31.5K, 20.7M), or "power" (powers of ten).
    """
    getattr(axes, f"set_{side}scale")("log")
    getattr(axes, f"set_{side}label")(label)
    axis: Axis = getattr(axes, f"{side}axis")
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low)
    if decades < 1.0:
        axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    elif decades < 3.0 and kind != "power":
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    else:
        axis.set_major_locator(LogLocator(numticks=9))
    axis.set_minor_locator(NullLocator() if decades < 3.0 else LogLocator(subs=range(2, 10), numticks=9))
    if kind == "power" and decades >= 1.0:
        axis.set_major_formatter(LogFormatterSciNotation())
    elif kind == "plain" and decades < 1.0:
        axis.set_major_formatter(ScalarFormatter(useOffset=False))  # the same decimals on all ticks
    else:
        write = format_size if kind == "size" else "{:.6g}".format
        axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def power_of_ten(number: float) -> str:
    """A number as $3 \\times 10^{11}$, for labels of figures."""
    digits, exponent = f"{number:.1e}".split("e")
    digits = digits.removesuffix(".0")
    tens = f"10^{{{int(exponent)}}}"
    return f"${tens}$" if digits == "1" else f"${digits} \\times {tens}$"


def draw_law(axes: Axes, x_P, points: list[dict], colour: str) -> None:
    """A fitted line with its band, dashed where it is extrapolated.

    points: estimates with an optional `extrapolated`; x_P their places.
    """
    x_P = np.asarray(x_P, float)
    value_P = np.array([point["value"] for point in points])
    beyond_P = np.array([point.get("extrapolated", False) for point in points])
    if all(point["low"] is not None for point in points):
        low_P, high_P = (np.array([point[end] for point in points]) for end in ("low", "high"))
        axes.fill_between(x_P, low_P, high_P, color=colour, **BAND)
    axes.plot(x_P[~beyond_P], value_P[~beyond_P], color=colour)
    start = max(int((~beyond_P).sum()) - 1, 0)
    axes.plot(x_P[start:], value_P[start:], color=colour, linestyle=EXTRAPOLATED)


def label_ends(axes: Axes, labels: list[tuple[float, float, str, str]]) -> None:
    """Names curves at their right ends, (x, y, text, colour) each, moved apart where they would overlap.

    Call it when the axes have their scales and limits.
    """
    height = axes.figure.bbox.height * axes.get_position().height
    points = FontProperties(size=matplotlib.rcParams["legend.fontsize"]).get_size_in_points()
    line = points * axes.figure.dpi / 72 / height  # of the axes' height
    free = -np.inf
    for x, y, text, colour in sorted(labels, key=lambda label: axes.transData.transform(label[:2])[1]):
        place = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))[1]
        lines = text.count("\n") + 1
        place = max(place, free + line * LABEL_GAP * lines / 2)
        free = place + line * LABEL_GAP * lines / 2
        axes.annotate(
            text,
            (x, y),
            xytext=(1.015, place),
            textcoords="axes fraction",
            color=colour,
            fontsize=points,
            va="center",
            annotation_clip=False,
        )


def ring(axes: Axes, x, y, marker: str = "o") -> Line2D:
    """Rings the runs on the frontier; returns the legend handle."""
    look = {"linestyle": "", "marker": marker, "markersize": 9, "fillstyle": "none", "color": "#444444"}
    axes.plot(x, y, markeredgewidth=0.9, zorder=4, **look)
    return Line2D([], [], label="frontier run", markeredgewidth=0.9, **look)


def legend(figure: Figure, handles: list, *, dashed: bool = False) -> None:
    """One legend, beside the axes, where it can cover nothing."""
    if dashed:
        handles = [*handles, Line2D([], [], color="#666666", linestyle=EXTRAPOLATED, label="extrapolated")]
    figure.legend(handles=handles, loc="outside right upper")
