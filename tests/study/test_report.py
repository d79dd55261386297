"""The report: one page that loads nothing, says everything the study found, and trusts no text in it."""

import base64
import csv
import json
import re
import shutil

import pytest
from made_up_findings import write_claims
from made_up_study import SIZES, write_laws, write_study
from report_page import page_of

from slm_jax.data import open_dataset
from slm_jax.errors import InputError
from slm_jax.files import read_json, read_jsonl, write_json
from slm_jax.study.report import media, write_report
from slm_jax.study.report.laws import describe_comparisons
from slm_jax.study.report.numbers import accuracy, count, duration, hours, interval, power, significant
from slm_jax.tokenizer import fingerprint, read_config

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("studies") / "study", sizes=3, resamples=20)


@pytest.fixture(scope="module")
def page(original):
    return page_of(original)


@pytest.fixture
def study(original, tmp_path):
    """A copy to damage."""
    return shutil.copytree(original, tmp_path / "study")


def results(study) -> list[dict]:
    with (study / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_results(study, rows: list[dict]) -> None:
    with (study / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_the_page_loads_nothing(page):
    for tag, attributes in page.elements:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        assert attributes.get("src", "data:").startswith("data:")
        assert "srcset" not in attributes and "poster" not in attributes
        if "href" in attributes:
            assert attributes["href"].startswith("#")
    style = page.source[page.source.index("<style>") : page.source.index("</style>")]
    assert "url(" not in style and "@import" not in style
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert "default-src 'none'" in policy and "script-src" not in policy


def test_links_within_the_page_lead_somewhere(page):
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    targets = {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")}
    assert targets and targets <= set(names)


def test_every_run_claim_phenomenon_and_dataset_is_there(original, page):
    plan, laws = read_json(original / "plan.json"), read_json(original / "laws.json")
    assert plan["title"] in page.text and plan["command"] in page.text and plan["commit"] in page.text
    assert "12 models of 31.5 K to 172 K parameters" in page.text
    assert "at 4 compute budgets from 3×10¹¹ to 10¹³ FLOPs" in page.text
    for row in results(original):
        assert f" {row['model']} " in page.text and f" {float(row['loss']):.3f} " in page.text
    (group,) = laws["groups"].values()
    claims = page.source[page.source.index('id="answers"') : page.source.index('id="figures"')]
    assert claims.count('<li class="answer">') == len(group["claims"]) == 6
    for claim in group["claims"]:
        assert claim["claim"] in claims and claim["verdict"] in claims
        assert interval(claim["estimate"]) in claims
    for sentence in [*group["warnings"], *group["absent"].values()]:
        assert sentence in page.text
    for pair in read_jsonl(original / "tasks/minimal_pairs/questions.jsonl"):
        assert pair["UID"].replace("_", " ").capitalize() in page.text
    for name in ("stories", "minimal_pairs"):
        assert open_dataset(original / "data/units" / name).fingerprint in page.text
    assert fingerprint(read_config(original / "tokens/units")) in page.text
    assert "1 h 15 min" in page.text  # 3.1 + 412.5 + 64 + 3991 s


def test_runs_stand_in_the_order_of_compute(original, page):
    table = page.source[page.source.index('aria-label="Table of runs"') :]
    by_compute = sorted(results(original), key=lambda row: (float(row["flops"]), float(row["params"])))
    places = [table.index(f'class="keep">{row["model"]}') for row in by_compute]
    assert places == sorted(places)


def test_budgets_are_those_of_the_fit_and_do_not_chain(study):
    rows = results(study)
    for number, row in enumerate(rows):  # 1.03^3 < 1.1 < 1.03^4
        row["flops"] = str(1e12 * 1.03**number)
    write_results(study, rows)
    page = page_of(study)
    assert len(rows) == 12 and "at 3 compute budgets" in page.text
    table = page.source[page.source.index('aria-label="Table of runs"') :].split("</table>")[0]
    assert table.count('<tr class="next">') == 2


def test_the_best_model_is_the_most_accurate_and_the_lowest_loss_is_named_too(study):
    rows = results(study)
    for row in rows:
        row["minimal_pairs"] = "0.61" if row is rows[4] else "0.60"
    write_results(study, rows)
    lowest = min(rows, key=lambda row: float(row["loss"]))
    page = page_of(study)
    assert f"accuracy on minimal pairs: {rows[4]['model']} (" in page.text
    assert f"is that of {lowest['model']} ." in page.text
    assert f"{rows[4]['model']} best accuracy" in page.text and f"{lowest['model']} lowest loss" in page.text
    shown = read_json(study / "runs" / rows[4]["model"] / "minimal_pairs.json")["accuracy"]["phenomena"]
    for estimate in shown.values():
        assert accuracy(estimate) in page.text


def test_interval_bars_are_where_the_numbers_are(original, page):
    best = max(results(original), key=lambda row: float(row["minimal_pairs"]))["model"]
    phenomena = read_json(original / "runs" / best / "minimal_pairs.json")["accuracy"]["phenomena"]
    first = next(iter(phenomena.values()))
    strip = page.source[page.source.index('<svg class="strip"') :].split("</svg>")[0]
    found = re.search(r'class="reach r1" x1="([\d.]+)%" x2="([\d.]+)%"', strip)
    assert [float(edge) for edge in found.groups()] == pytest.approx(
        [100 * first["low"], 100 * first["high"]], abs=0.01
    )
    assert float(re.search(r'class="r1" cx="([\d.]+)%"', strip)[1]) == pytest.approx(
        100 * first["value"], abs=0.01
    )


def test_tokens_are_told_in_passes_over_the_corpus(original, page):
    (group,) = read_json(original / "laws.json")["groups"].values()
    corpus = max(float(row["unique_tokens"]) for row in results(original))
    tokens = group["next_decade"]["by_loss_law"]["tokens"]["value"]
    assert f"Passes over the corpus {significant(tokens / corpus, 2)} [" in page.text
    best = next(row["best"] for row in group["next_run"] if row["target"] == "loss")
    assert best["tokens"] / corpus <= 4 * (1 + 1e-9)
    assert f"tokens ({significant(best['tokens'] / corpus, 2)} passes)" in page.text
    assert "more than 4 passes call for more data" in page.text


def test_text_in_the_data_cannot_become_markup(study):
    plan, laws = read_json(study / "plan.json"), read_json(study / "laws.json")
    plan |= {"title": HOSTILE, "name": HOSTILE, "command": HOSTILE, "commit": HOSTILE, "machine": HOSTILE}
    plan["config"][HOSTILE] = HOSTILE
    write_json(study / "plan.json", plan)
    (group,) = laws["groups"].values()
    group["warnings"].append(HOSTILE)
    group["absent"][HOSTILE] = HOSTILE
    group["claims"][0] |= {"claim": HOSTILE, "task": HOSTILE, "because": HOSTILE, "verdict": "cannot tell"}
    write_json(study / "laws.json", laws)
    rows = results(study)
    rows[0]["model"] = HOSTILE
    write_results(study, rows)
    write_json(study / "failed/x.json", {"name": HOSTILE, "reason": HOSTILE})
    write_json(study / "timings.json", {HOSTILE: 1.0})
    write_claims(study, list(SIZES)[:2])
    claims = read_json(study / "claims.json")
    claims[1] |= dict.fromkeys(("name", "says", "note", "unit", "because", "measure", "text"), HOSTILE)
    claims[1] |= {"arms": [HOSTILE, HOSTILE]}
    claims[1]["cells"][0] |= {"size": HOSTILE, "seed": HOSTILE}
    write_json(study / "claims.json", claims)
    examples = read_json(study / "examples/examples.json")
    for group in examples["groups"]:
        group |= {"title": HOSTILE, "about": HOSTILE}
        for clip in group["clips"]:
            clip |= {"title": HOSTILE, "text": HOSTILE, "voice": HOSTILE}
    write_json(study / "examples/examples.json", examples)
    for file in ("corpora/stories/stories.jsonl", "tasks/topic_cloze/questions.jsonl"):
        rows = [dict.fromkeys(row, HOSTILE) for row in read_jsonl(study / file)]
        (study / file).write_text("\n".join(map(json.dumps, rows)))
    (study / "figures" / "evil<b>.svg").write_text(f"<svg>{HOSTILE}</svg>")

    page = page_of(study)
    assert not page.all("script")
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert page.text.count("alert(1)") > 20


def test_what_is_not_there_is_left_out(study, original):
    for name in ("corpora", "tasks", "tokens", "data", "runs", "figures", "examples"):
        shutil.rmtree(study / name)
    (study / "timings.json").unlink()
    plan = read_json(study / "plan.json")
    write_json(study / "plan.json", {key: plan[key] for key in ("name", "title", "runs")} | {"commit": None})
    page = page_of(study)
    assert not page.all("img") and not page.all("audio")
    assert all(row["model"] in page.text for row in results(original))
    targets = {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")}
    assert targets <= {attributes["id"] for _, attributes in page.elements if "id" in attributes}


@pytest.mark.parametrize("file", ["plan.json", "laws.json", "results.csv"])
def test_what_a_report_cannot_do_without_is_named(study, file):
    written = write_report(study).read_bytes()
    (study / file).unlink()
    with pytest.raises(InputError, match=re.escape(file)):
        write_report(study)
    assert (study / "report.html").read_bytes() == written


def test_failed_runs_are_listed_with_their_reason(study):
    failure = {"name": "830k-1e13", "reason": "the loss is nan at step 41"}
    write_json(study / "failed/830k-1e13.json", failure)
    text = page_of(study).text
    assert "830k-1e13 : the loss is nan at step 41" in text and "1 planned run failed" in text


def test_clips_are_the_recordings_of_the_examples(original, page):
    clips = page.all("audio")
    assert len(clips) == 3
    for clip, name in zip(clips, ("story", "good", "bad"), strict=True):
        kind, content = clip["src"].split(",")
        assert kind == "data:audio/mpeg;base64"
        assert base64.b64decode(content) == (original / f"examples/{name}.mp3").read_bytes()
    groups = read_json(original / "examples/examples.json")["groups"]
    titles = [title for group in groups for title in (group["title"], *[c["title"] for c in group["clips"]])]
    places = [page.text.index(f" {title} ", page.text.index(" Listen The corpus ")) for title in titles]
    assert places == sorted(places)
    assert groups[-1]["clips"][0]["text"] in page.text  # written, without a recording


def test_clips_that_are_too_long_or_elsewhere_are_left_out(study, monkeypatch, tmp_path):
    examples = read_json(study / "examples/examples.json")
    (tmp_path / "other.mp3").write_bytes(b"none of the study's")
    examples["groups"][0]["clips"][0]["file"] = "../../other.mp3"
    write_json(study / "examples/examples.json", examples)
    assert len(page_of(study).all("audio")) == 2
    monkeypatch.setattr(media, "MOST_OF_CLIPS", 100)
    assert not page_of(study).all("audio")


def test_figures_come_in_reading_order_with_words(original, page, monkeypatch):
    images = page.all("img")
    assert len(images) == len(list((original / "figures").glob("*.svg")))
    assert all(
        image["src"].startswith("data:image/") and ";base64," in image["src"] and len(image["alt"]) > 60
        for image in images
    )
    titles = [image["alt"].split(". ")[1] for image in images]
    kinds = [title for title, _ in media.CAPTIONS.values()]
    order = [next(i for i, kind in enumerate(kinds) if kind.rstrip("?") in title) for title in titles]
    of_several = {list(media.CAPTIONS).index(name) for name in ("groups", "equal_compute")}
    of_one_group = set(range(len(kinds))) - of_several
    assert order == sorted(order) and set(order) == of_one_group
    monkeypatch.setattr(media, "MOST_OF_FIGURES", 200_000)
    found = media.read_figures(original / "figures", ["speech"], [])
    assert 0 < len(found.shared) < len(images) and len(found.shared) + found.left_out == len(images)


def test_a_study_of_speech_and_text_and_few_runs(study):
    rows = results(study)[::3]
    text = [row | {"model": f"text {row['model']}", "arm": "text", "modality": "text"} for row in rows]
    for row in text:
        row["minimal_pairs"] = str(float(row["minimal_pairs"]) ** 0.3)
    text[0]["minimal_pairs"] = text[0]["minimal_pairs_low"] = text[0]["minimal_pairs_high"] = ""
    write_results(study, rows + text)
    shutil.rmtree(study / "figures")
    write_laws(study, resamples=20)
    laws = read_json(study / "laws.json")
    assert set(laws["groups"]) == {"speech", "text"} and laws["groups"]["text"]["loss_law"] is None
    page = page_of(study)
    assert page.text.count("Best is the run") == 2  # losses do not compare between groups, so one each
    for comparison in laws["comparisons"]:
        expected = f"faster with compute for {comparison['faster']} than for {comparison['slower']}"
        assert expected in page.text
    assert all(row["model"] in page.text for row in rows + text)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (count(93_000), "93 K"),
        (count(20_710_912), "20.7 M"),
        (count(999_600), "1 M"),
        (count(36), "36"),
        (count(6.6e-6), "<1"),
        (count(1.1e18), "1.1×10¹⁸"),
        (power(1.2e12), "1.2×10¹²"),
        (power(9.99e11), "10¹²"),
        (power(3e-5), "3×10⁻⁵"),
        (significant(0.25), "0.25"),
        (significant(-1234.5), "−1234"),
        (significant(0), "0"),
        (interval({"value": 0.63, "low": 0.58, "high": 0.681}), "0.63 [0.58, 0.68]"),
        (interval({"value": -0.9571, "low": -0.98, "high": -0.931}), "−0.957 [−0.980, −0.931]"),
        (interval({"value": 40.0, "low": 0.02, "high": 3e4}), "40 [0.02, 30000]"),
        (interval({"value": 0.5, "low": None, "high": None}), "0.5 [no interval]"),
        (interval({"value": -0.04, "low": -1.0, "high": 0.9}), "0.0 [−1.0, 0.9]"),
        (interval(None), "–"),
        (accuracy({"value": 0.5, "low": 0.4999, "high": 1.0}), "0.50 [0.50, 1.00]"),
        (duration(3.14), "3.1 s"),
        (duration(200), "3 min 20 s"),
        (duration(3599.7), "1 h 0 min"),
        (hours(0.105), "6.3 min"),
        (hours(13_250), "13,250 h"),
    ],
)
def test_numbers_are_written_as_people_write_them(found, expected):
    assert found.replace("\N{NARROW NO-BREAK SPACE}", " ") == expected


def test_a_compute_that_no_machine_will_have_is_not_told():
    level = {"best_of": "text", "accuracy": 0.9, "extrapolated": ["speech"], "saturated": []}
    row = {"task": "minimal_pairs", "faster": "text", "slower": "speech", "verdict": "cannot tell"}
    row["gamma_ratio"] = {"value": 90.0, "low": None, "high": None}
    for log10_flops, is_told in ((20.0, True), (400.0, False)):
        level["log10_flops"] = {"speech": {"value": log10_flops, "low": None, "high": None}}
        (claim,) = describe_comparisons({"comparisons": [row | {"levels": [level]}]})
        assert ("speech would need" in claim["reading"]) == is_told
