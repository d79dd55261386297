"""What a page carries inside itself: figures with captions, and short clips of speech."""

import base64
import io
import pathlib
from typing import NamedTuple

import soundfile

from slm_jax.study.report_numbers import task, words

LARGEST_SVG = 400_000  # bytes; a larger figure goes in as PNG
LARGEST_CLIPS = 700_000  # bytes of FLAC in a page, which base64 makes 0.93 MB

FITS = "Lines are fits, bands their intervals; dashed parts are extrapolated."
CAPTIONS = {  # in reading order: title, how to read it
    "loss_compute": (
        "Loss against compute",
        "Each thin line is the training loss of one run, each dot its held-out loss at the end; colour is "
        "the size of the model. Follow the thick grey envelope: the lowest training loss any run had "
        "reached with that much compute. Ringed runs are on the frontier: none with as little compute did "
        f"better. {FITS}",
    ),
    "isoflop": (
        "Loss at equal compute",
        "Each bowl joins the runs of one budget, small models with many tokens on the left, large models "
        "with few on the right. The bottom of a bowl is the best size for that budget; the further right "
        "it moves from budget to budget, the more compute should go into parameters.",
    ),
    "groups": (
        "Side by side",
        "Solid points are on the frontier of their group, pale ones are not. Where a dotted line runs on, it "
        "is the slower group’s power law, continued as if nothing saturated, to the best accuracy of the "
        f"faster: the cross is an extrapolation, the bar its interval. {FITS}",
    ),
    "loss_accuracy": (
        "Does loss predict accuracy?",
        "Each dot is one run with the interval of its accuracy. The closer the dots lie to the line, the "
        "better held-out loss stands in for the task; at a correlation r of −1 it would stand in for it "
        "perfectly.",
    ),
    "accuracy_compute": (
        "What compute buys in accuracy",
        "Both axes are logarithmic, so a power law is a straight line and its slope is γ: the steeper, "
        f"the more a decade of compute is worth. {FITS}",
    ),
    "loss_law": (
        "The loss law, and the best size for a budget",
        "Contours join the sizes and compute to which the law gives the same loss. Read upwards from a "
        "budget: the line passes through the size with the lowest loss. Dots are the runs; away from them "
        "the law is extrapolation.",
    ),
}


class Figure(NamedTuple):
    title: str
    caption: str
    alt: str
    source: str


class Clip(NamedTuple):
    title: str
    text: str
    voice: str
    source: str


def read_figures(folder: pathlib.Path) -> list[Figure]:
    """Every figure of a folder in reading order, as vector graphics unless they are heavy."""
    names = {path.stem for path in folder.glob("*") if path.suffix in (".svg", ".png")}
    return [_figure(folder, name) for name in sorted(names, key=_reading_order)]


def _kind(name: str) -> str | None:
    return next((kind for kind in CAPTIONS if name == kind or name.startswith(f"{kind}_")), None)


def _reading_order(name: str) -> tuple:
    kinds = list(CAPTIONS)
    kind = _kind(name)
    return kinds.index(kind) if kind else len(kinds), name


def _figure(folder: pathlib.Path, name: str) -> Figure:
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    if svg.exists() and (svg.stat().st_size <= LARGEST_SVG or not png.exists()):
        source = data_uri("image/svg+xml", svg.read_bytes())
    else:
        source = data_uri("image/png", png.read_bytes())
    kind = _kind(name)
    title, caption = CAPTIONS[kind] if kind else (words(name), "")
    subject = task(name[len(kind) + 1 :]) if kind else ""
    if subject:
        title = f"{title} {subject[0].upper()}{subject[1:]}" if title.endswith("?") else f"{title}: {subject}"
    return Figure(title, caption, f"Chart. {title}. {caption}", source)


def data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def read_clips(rows: list[tuple[str, pathlib.Path, dict]]) -> list[Clip]:
    """Clips of (title, folder, manifest row), as FLAC, for as long as they fit into a page.

    Audio that is no longer there is left out.
    """
    clips, size = [], 0
    for title, folder, row in rows:
        path = folder / row["audio"]
        if not path.is_file():
            continue
        content = _flac(path)
        size += len(content)
        if size > LARGEST_CLIPS:
            break
        source = data_uri("audio/flac", content)
        clips.append(Clip(title, row.get("text", ""), words(row.get("speaker", "")), source))
    return clips


def _flac(path: pathlib.Path) -> bytes:
    wave_S, sample_rate = soundfile.read(path, dtype="int16")
    buffer = io.BytesIO()
    soundfile.write(buffer, wave_S, sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
