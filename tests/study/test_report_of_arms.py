"""The report of a study of several arms, and what a browser makes of it."""

import csv
import re
import shutil
import subprocess

import pytest
from made_up_study import ARMS, write_study
from report_page import page_of

from slm_jax.files import read_json, write_json
from slm_jax.study.report.claims import describe_claims
from slm_jax.study.report.media import read_figures
from slm_jax.study.report.numbers import interval, power

MOST_BYTES = 6_000_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTHS = (360, 1200)
# A window of a browser without a screen is never narrower than 500 pixels, a frame in it is.
MEASURE = """<!doctype html><body><script>
const frame = document.createElement("iframe");
frame.width = Number(location.hash.slice(1)); frame.height = 800; frame.src = "report.html";
frame.onload = () => {
  const page = frame.contentDocument;
  page.querySelectorAll("details").forEach(details => details.open = true);
  document.body.dataset.room = frame.contentWindow.innerWidth;
  document.body.dataset.wide = page.documentElement.scrollWidth;
};
document.body.append(frame);
</script>"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "study"
    return write_study(folder, arms=6, sizes=3, resamples=20)


@pytest.fixture(scope="module")
def page(study):
    return page_of(study)


@pytest.fixture(scope="module")
def shown(study):
    """The claims as the page has them."""
    runs = read_json(study / "plan.json")["runs"]
    return describe_claims(read_json(study / "claims.json"), runs, {run["name"] for run in runs})


def section(page, name: str) -> str:
    return page.source[page.source.index(f'<section id="{name}"') :].split("</section>")[0]


def test_every_claim_is_a_card_with_its_verdict_number_and_cells(study, page):
    cards = section(page, "claims").split('<article class="claim-card')[1:]
    claims = read_json(study / "claims.json")
    assert len(cards) == len(claims) == 6
    for card, claim in zip(cards, claims, strict=True):
        assert claim["says"] in card and claim["text"] in card
        assert ('class="note"' in card) == (claim["note"] != "") and claim["note"] in card
        assert claim["verdict"] in card.split("<h3>")[0]
        assert card.count('<tr><th scope="row">') == len(claim["cells"])
        assert ("<svg" in card) == (claim["estimate"] is not None)
        if claim["estimate"]:
            assert interval(claim["estimate"]) in card and claim["because"] in card
    tally = section(page, "claims").split('<div class="claims">')[0]
    assert tally.count("2 of 6") == 3


def test_the_dot_of_a_claim_lies_where_its_number_does(study, shown):
    for claim, card in zip(read_json(study / "claims.json"), shown, strict=True):
        if not claim["estimate"]:
            continue
        edge, plot = 1 if "ratio" in claim["unit"] else 0, card["plot"]
        for end, number in claim["estimate"].items():
            assert (plot[end] > plot["reference"]) == (number > edge)
        for cell, place in zip(claim["cells"], plot["cells"], strict=True):
            assert (place > plot["reference"]) == (cell["difference"] > edge)
        places = [plot["reference"], plot["low"], plot["value"], plot["high"], *plot["cells"]]
        assert all(0 < place < 100 for place in places) and plot["low"] < plot["value"] < plot["high"]


def test_claims_in_one_unit_share_a_scale(shown):
    accuracies = [c["plot"]["reference"] for c in shown if c["plot"] and c["unit"] == "accuracy"]
    assert len(accuracies) == 3 and len(set(accuracies)) == 1


def test_the_better_arm_is_named_on_its_side(shown):
    assert shown[0]["plot"]["favours"] == ["speech faster", "text faster"]  # growth
    assert shown[1]["plot"]["favours"] == ["prose better", "speech better"]  # accuracy
    assert shown[3]["plot"]["favours"] == ["speech better", "pieces better"]  # loss, where less is better


def test_an_unfinished_study_says_so_at_its_verdicts(study, page, tmp_path):
    assert "All 120 planned runs are done." in page.text and "of 120 planned" not in page.text
    assert "planned matched" not in page.text
    study = shutil.copytree(study, tmp_path / "study")
    with (study / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with (study / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(r for r in rows if r["model"] not in ("speech-30k-3e11", "pieces-90k-1e12-s1"))
    write_json(study / "failed/speech-30k-3e11.json", {"name": "speech-30k-3e11", "reason": "no memory"})
    page = page_of(study)
    assert "Unfinished: 118 of 120 planned runs are done, 1 failed." in page.text
    cards = section(page, "claims").split('<article class="claim-card')[1:]
    told = [found and found[1] for found in (re.search(r'class="unfinished">(.*?)<', c) for c in cards)]
    # Of speech there is one seed, so that a run of the second seed has no counterpart.
    assert told == ["23 of 24 planned runs of the two arms"] + 5 * ["11 of 12 planned matched runs"]


def test_the_figure_of_a_claim_has_its_words_for_a_title(study, tmp_path):
    (tmp_path / "equal_compute_meaning.svg").write_text("<svg/>")
    claims = [{"name": "meaning", "says": "Stories teach meaning"}]
    (figure,) = read_figures(tmp_path, ["speech", "text"], claims).shared
    assert figure.title == "Stories teach meaning" and "Stories teach meaning" in figure.alt


def test_the_claims_of_all_arms_are_one_table(study, page):
    laws = read_json(study / "laws.json")
    answers = section(page, "answers")
    claims = next(iter(laws["groups"].values()))["claims"]
    assert answers.count('<tr><th scope="row">') == len(claims)
    assert answers.count('<span class="value">') == len(claims) * len(ARMS)


def test_what_each_arm_is_stands_in_its_row(study, page):
    with (study / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = section(page, "arms").split("<tr>")
    assert len(table) == len(ARMS) + 2
    for name, (corpus, tokens, seeds, *_) in ARMS.items():
        (row,) = (row for row in table if f"<b>{name.replace('_', ' ')}</b>" in row)
        own = [run for run in rows if run["arm"] == name]
        best = min(own, key=lambda run: float(run["loss"]))
        accuracy = max(float(run["minimal_pairs"]) for run in own)
        assert corpus in row and tokens.replace("_", " ") in row
        assert f">{len(own)}<small>{seeds} seed" in row
        assert f"{float(best['loss']):.3f}" in row and f"{float(best['loss_per_second']):.2f}" in row
        assert f"{accuracy:.2f}" in row


def test_the_compute_that_trunks_saved_is_told(study, page):
    runs = read_json(study / "plan.json")["runs"]
    saved = sum(run["flops"] * run["shared_steps"] / run["steps"] for run in runs)
    total = sum(run["flops"] for run in runs)
    assert f"{power(total)} FLOPs went into these models, of which {power(total - saved)}" in page.text
    assert f"saved {power(saved)} ({saved / total:.0%}".replace("%", " %") in page.text


def test_a_branch_that_was_made_alone_saved_nothing(study, tmp_path):
    copy = shutil.copytree(study, tmp_path / "study")
    runs = read_json(copy / "plan.json")["runs"]
    for run in runs:
        if run["budget"] == 3e12:
            path = copy / "runs" / run["name"] / "summary.json"
            write_json(path, {k: v for k, v in read_json(path).items() if k != "shared_steps"})
    cheap = [run for run in runs if run["budget"] < 3e12]
    saved = sum(run["flops"] * run["shared_steps"] / run["steps"] for run in cheap)
    assert f"saved {power(saved)}" in page_of(copy).text


def test_a_recommended_run_is_that_of_the_laws(study, page):
    group = next(iter(read_json(study / "laws.json")["groups"].values()))
    best = next(row["best"] for row in group["next_run"] if row["target"] == "loss")
    assert "Extrapolation." in section(page, "next")
    assert section(page, "next").count(">Passes</th>") == 2
    assert f"by {best['narrows']:.0%}".replace("%", " %") in page.text


def test_runs_name_their_arm_and_seed_and_failures_their_reason(study, tmp_path):
    study = shutil.copytree(study, tmp_path / "study")
    write_json(study / "failed/prose-30k-1e13.json", {"name": "prose-30k-1e13", "reason": "out of memory"})
    page = page_of(study)
    runs = section(page, "runs")
    assert re.search(r"prose-30k-3e11-s1.*?</th>\s*<td[^>]*>prose</td><td[^>]*>1</td>", runs)
    assert "prose-30k-1e13 : out of memory" in page.text


def test_a_page_is_light(page):
    assert len(page.source.encode()) < MOST_BYTES


@pytest.fixture(scope="module")
def browse(study, page, tmp_path_factory):
    """Runs a browser without a screen on a file of the study's folder: what it prints and complains of."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine")
    (study / "measure.html").write_text(MEASURE)
    profile = tmp_path_factory.mktemp("browser")

    def run(address: str, *flags: str) -> subprocess.CompletedProcess:
        quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-extensions", "--no-first-run")
        own = (f"--user-data-dir={profile}", "--allow-file-access-from-files", "--enable-logging=stderr")
        return subprocess.run(
            [found, *quiet, *own, *flags, f"file://{study}/{address}"],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )

    return run


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_page_with_all_details_open(browse, width):
    done = browse(f"measure.html#{width}", "--dump-dom")
    room, wide = (int(re.search(rf'data-{name}="(\d+)"', done.stdout)[1]) for name in ("room", "wide"))
    assert width - 20 <= room <= width  # a scroll bar may take some
    assert wide <= room
    assert "CONSOLE" not in done.stderr


@pytest.mark.slow
def test_a_page_prints(browse, tmp_path):
    done = browse("report.html", f"--print-to-pdf={tmp_path / 'report.pdf'}")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "CONSOLE" not in done.stderr
