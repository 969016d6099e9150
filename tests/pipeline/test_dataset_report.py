import json

import pytest
from dataset_records import facts_of, make, surveyed
from phase_examples import HOSTILE as HOSTILE_SET
from phase_examples import phases

from golongrl.core.report.excerpts import AROUND, LONGEST_PIECE, excerpt, stretches
from golongrl.pipeline.dataset.reporting import samples_viewer
from golongrl.pipeline.dataset.reporting.report_page import write_report
from golongrl.pipeline.dataset.reporting.samples_viewer import PIECES, as_sample, viewer

HOSTILE = "</script><img src=x onerror=alert(1)>"


def parsed(path):
    """(parsed page, JSON of its samples)."""
    soup = pytest.importorskip("bs4").BeautifulSoup(path.read_text(encoding="utf-8"), "lxml")
    return soup, json.loads(soup.select_one(".viewer script").string)


def test_the_page_holds_every_record_with_its_evidence(tmp_path):
    prompt = f"[Document 1] T\n{'far ' * 200}near the proof stands here{' away' * 200}\n\nWho?"
    start = prompt.index("the proof")
    records = [
        make("T1", "Who?", "Ann", prompt=prompt, evidence=[(start, start + 9)], form=f"form_{n}") for n in "ab"
    ]
    survey = surveyed(records, validation=[make("T2", "Which?", "B", options=["x", "y"])])
    write_report(tmp_path / "report.html", facts_of(survey), survey)
    soup, data = parsed(tmp_path / "report.html")
    assert data["facets"] == ["capability", "length bin", "language", "form", "split"]
    assert sorted(row[0][3] for row in data["rows"]) == ["a_form", "form_a", "form_b"]
    row = next(row for row in data["rows"] if row[0] == ["T1", "1k", "en", "form_a", "train"])
    parts = dict(row[2])
    assert (row[1], parts["question"], parts["gold answer"]) == ("Who?", "Who?", "Ann")
    pieces = parts[f"evidence, character {start:,}"]
    assert [piece for piece in pieces if piece[1]] == [["the proof", 1]]
    before, after = pieces[1][0], pieces[3][0]
    assert (len(before), len(after)) == (samples_viewer.AROUND, samples_viewer.AROUND)
    assert before.endswith("near ")
    assert after.startswith(" stands here")
    assert "prompt: 900 tokens, " in parts["record"]
    choice = next(row for row in data["rows"] if row[0][0] == "T2")
    assert dict(choice[2])["options"] == "x\ny"
    assert "All records." in soup.get_text()


def test_figures_and_tables_tell_the_facts(tmp_path):
    survey = surveyed([make("T1", f"Who {n}?", f"x{n}") for n in range(7)])
    write_report(tmp_path / "report.html", facts_of(survey), survey)
    soup, _ = parsed(tmp_path / "report.html")
    headings = [heading.get_text() for heading in soup.find_all("h2")]
    assert headings == [
        "Result", "Records", "Depth of the evidence", "Funnel", "Task forms", "Licences and sources", "Samples",
        "Closed book", "Collect", "Assign", "Construct",
    ]  # fmt: skip
    captions = [caption.get_text() for caption in soup.find_all("figcaption")]
    assert captions[:2] == ["Records per capability", "Records per length bin (prompts up to that many tokens)"]
    figure = soup.find("figcaption", string="Records per length bin (prompts up to that many tokens)").parent
    bars = [[cell.get_text(strip=True) for cell in row(["th", "td"])] for row in figure.tbody("tr")]
    assert bars == [["1k", "", "7"], ["4k", "", "0"]]
    assert len(soup.find("figcaption", string="Pieces of evidence by their place in the prompt").parent("rect")) == 10
    rows = [[cell.get_text() for cell in row(["th", "td"])] for row in soup("tr")]
    assert ["rejected by a check", "1"] in rows
    assert ["<b>nothing</b>.txt", "empty file"] in rows
    assert ["length", "shorter than N tokens", "2"] in rows


def test_hostile_text_stays_text(tmp_path):
    record = make("T1", HOSTILE, HOSTILE, form="a_form", prompt=f"{HOSTILE} {HOSTILE}", evidence=[(0, len(HOSTILE))],
                  docs=(HOSTILE,), template=HOSTILE, licence=[HOSTILE], document_kind=HOSTILE)  # fmt: skip
    survey = surveyed([record])
    write_report(tmp_path / "report.html", facts_of(survey, command=HOSTILE, tokenizer=HOSTILE), survey)
    soup, data = parsed(tmp_path / "report.html")
    assert not soup.find_all("img")
    assert len(soup.find_all("script")) == 2
    assert data["rows"][0][1] == HOSTILE
    assert [HOSTILE, 1] in dict(data["rows"][0][2])["evidence, character 0"]
    assert f"{HOSTILE}.md" in soup.get_text()


def test_the_same_build_gives_the_same_page(tmp_path):
    records = [make("T1", f"Who {n}?", f"x{n}") for n in range(20)]
    pages = []
    for name, order in (("a", records), ("b", records[::-1])):
        survey = surveyed(order)
        write_report(tmp_path / name, facts_of(survey), survey)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_pages_stay_small(monkeypatch):
    monkeypatch.setattr(samples_viewer, "PAGE_BYTES", 20_000)
    prompt = "证" * 5_000
    records = [
        make("T1", f"谁{n}？", "名", prompt=prompt, evidence=[(2_000, 2_010)], language="zh") for n in range(40)
    ]
    records += [
        make("T3", f"谁{n}？", ["名"], prompt=prompt, evidence=[(0, 5_000)], language="zh") for n in range(20)
    ]
    samples = {name: draw.drawn() for name, draw in surveyed(records).samples.items()}
    shown = viewer(samples, total=60)
    assert len(shown.data.encode()) <= 20_500
    counts = [sum(sample.facets[0] == name for sample in shown.samples) for name in ("T1", "T3")]
    # Half as many of the capability that has half as many.
    assert abs(counts[0] - 2 * counts[1]) <= 2
    assert shown.caption.startswith(f"{sum(counts)} of 60 records, evenly")


def test_long_texts_and_many_places_are_cut():
    prompt = "0123456789" * 1_000
    many = [(1_000 * n, 1_000 * n + 5) for n in range(PIECES + 3)]
    parts = dict(as_sample(make("T1", "q" * 5_000, "Ann", prompt=prompt, evidence=many), "train").parts)
    assert len([name for name in parts if name.startswith("evidence,")]) == PIECES
    assert parts["more evidence"] == "at 3 other places"
    assert parts["question"].endswith("… (3,000 characters more)")
    long = excerpt(prompt, [(2_000, 8_000)])
    marked = next(text for text, is_marked in long if is_marked)
    assert len(marked) < LONGEST_PIECE + 40
    assert f"({6_000 - LONGEST_PIECE:,} characters)" in marked


def test_places_close_together_are_one_stretch():
    assert stretches([(0, 10), (20, 30), (20 + 3 * AROUND, 2_000)]) == [
        [(0, 10), (20, 30)],
        [(20 + 3 * AROUND, 2_000)],
    ]
    text = "a" * 1_000
    pieces = excerpt(text, [(100, 110), (105, 120), (300, 310)])
    assert "".join(piece for piece, _ in pieces) == "a" * (310 + AROUND) + " …"
    assert sum(len(piece) for piece, marked in pieces if marked) == 20 + 10


def test_every_phase_has_its_section(tmp_path):
    survey = surveyed([make("T1", "Who?", "Ann")])
    write_report(tmp_path / "report.html", {**facts_of(survey), **phases()}, survey)
    soup, _ = parsed(tmp_path / "report.html")
    headings = [heading.get_text() for heading in soup.find_all("h2")]
    assert headings[:4] == ["Result", "Versions", "Diagnosis", "Records"]
    assert headings[headings.index("Closed book") + 1 : headings.index("Collect")] == [
        "Funnel by track", "Question sets", "Questions by models", "Verification", "Difficulty", "Contamination",
        "Calls to models", "Distributions of answers and places", "Learned shortcuts", "Reward audit",
    ]  # fmt: skip
    rows = [[cell.get_text() for cell in row(["th", "td"])] for row in soup("tr")]
    assert [HOSTILE_SET, "no context", "2"] in rows
    assert ["bench", "row 3", "question", "Who?", "shared words"] in rows
    assert ["T1 precise retrieval", "length", "4k", "40", "0.250", "-", "0.300", "70%"] in [row[:8] for row in rows]
    assert ["no score: timeout", "2"] in rows
    assert ["judge", "truncated", "3"] in rows
    figure = soup.find("figcaption", string="Question sets").parent
    bars = [[cell.get_text(strip=True) for cell in row(["th", "td"])] for row in figure.tbody("tr")]
    assert bars == [["rows: questions", "", "8"], ["votes: records", "", "4"]]
    assert "Scores of mrcr-mini shaped this dataset." in soup.find("section").get_text()
    assert len(soup.find_all("script")) == 2
