"""What a page carries inside itself: figures with captions, and short clips of speech."""

import base64
import pathlib
import re
from typing import NamedTuple

from slm_jax.files import read_json
from slm_jax.study.report.numbers import task, words

# Bytes of files in a page, which base64 makes a third more: together 5 MB.
MOST_OF_FIGURES = 2_600_000
MOST_OF_CLIPS = 1_400_000
AUDIO = {".mp3": "audio/mpeg", ".flac": "audio/flac", ".wav": "audio/wav", ".ogg": "audio/ogg"}

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
    "equal_compute": (
        "At equal compute",
        "Each line joins the runs of one size, means over seeds; small dots are single seeds. Compare the "
        "colours at one budget and one shape.",
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
    group: str  # of runs; "" for a figure of all


class Figures(NamedTuple):
    """`shared` are of all groups, or of the only one; `left_out` have no place in the page."""

    shared: list[Figure]
    by_group: dict[str, list[Figure]]
    left_out: int


class Clip(NamedTuple):
    """`source` is "" for a text without a recording."""

    title: str
    text: str
    voice: str
    source: str


class Listening(NamedTuple):
    title: str
    about: str
    clips: list[Clip]


def read_figures(folder: pathlib.Path, groups: list[str], claims: list[dict]) -> Figures:
    """The figures of a folder in reading order, for as long as they fit into a page.

    That of a claim at equal compute has its words for a title.

    They go in as vector graphics unless those are the larger file. The figures of one of several groups have
    its name at the end of theirs.
    """
    names = {path.stem for path in folder.glob("*") if path.suffix in (".svg", ".png")}
    said = {f"equal_compute_{claim['name']}": claim["says"] for claim in claims}
    endings = {_file_name(group): group for group in groups} if len(groups) > 1 else {}
    shared, by_group, left_out, size = [], {}, 0, 0
    for name in sorted(names, key=lambda name: (bool(_ending(name, endings)), _reading_order(name))):
        kind, content = _content(folder, name)
        size += len(content)
        if size > MOST_OF_FIGURES:
            left_out += 1
            continue
        ending = _ending(name, endings)
        bare = name.removesuffix(f"_{ending}") if ending else name
        figure = _figure(bare, said.get(bare), data_uri(kind, content))
        if ending:
            group = endings[ending]
            by_group.setdefault(group, []).append(figure._replace(group=group))
        else:
            shared.append(figure)
    return Figures(shared, {group: by_group[group] for group in groups if group in by_group}, left_out)


def _file_name(group: str) -> str:
    """As scaling.write_figures has it."""
    return re.sub(r"[^\w.-]+", "-", group)


def _ending(name: str, endings: dict[str, str]) -> str:
    """The longest of the endings that a figure has."""
    return max((end for end in endings if name.endswith(f"_{end}")), key=len, default="")


def _kind(name: str) -> str | None:
    return next((kind for kind in CAPTIONS if name == kind or name.startswith(f"{kind}_")), None)


def _reading_order(name: str) -> tuple:
    kinds = list(CAPTIONS)
    kind = _kind(name)
    return kinds.index(kind) if kind else len(kinds), name


def _content(folder: pathlib.Path, name: str) -> tuple[str, bytes]:
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    if svg.exists() and not (png.exists() and png.stat().st_size < svg.stat().st_size):
        return "image/svg+xml", svg.read_bytes()
    return "image/png", png.read_bytes()


def _figure(name: str, title_of_claim: str | None, source: str) -> Figure:
    kind = _kind(name)
    title, caption = CAPTIONS[kind] if kind else (words(name), "")
    subject = task(name[len(kind) + 1 :]) if kind else ""
    if title_of_claim:
        title = title_of_claim
    elif subject:
        title = f"{title} {subject[0].upper()}{subject[1:]}" if title.endswith("?") else f"{title}: {subject}"
    return Figure(title, caption, f"Chart. {title}. {caption}", source, "")


def data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def read_clips(folder: pathlib.Path) -> list[Listening]:
    """The groups of examples.json, for as long as their recordings fit into a page.

    A recording that is no longer there, or is none, is left out, and so is a group that has nothing left.
    """
    path = folder / "examples.json"
    groups, size = [], 0
    for group in read_json(path)["groups"] if path.exists() else []:
        clips = []
        for clip in group["clips"]:
            source = ""
            if clip["file"] is not None:
                recording = folder / pathlib.Path(clip["file"]).name
                if recording.suffix not in AUDIO or not recording.is_file():
                    continue
                size += recording.stat().st_size
                if size > MOST_OF_CLIPS:
                    break
                source = data_uri(AUDIO[recording.suffix], recording.read_bytes())
            clips.append(Clip(clip["title"], clip["text"] or "", words(clip["voice"] or ""), source))
        if clips:
            groups.append(Listening(group["title"], group["about"], clips))
    return groups
