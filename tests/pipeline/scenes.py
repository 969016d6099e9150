"""Scenes of small documents for the tests of task forms, and what every candidate must hold."""

import random

from golongrl.core.documents import DocumentBuilder
from golongrl.core.records import parse_record
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import view
from golongrl.pipeline.dataset.construct.form import Candidate, Scene
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.rewards import gold_response, score_response


def excerpt(fill, title="Zoo handbook"):
    """A whole document of what `fill(builder)` adds."""
    builder = DocumentBuilder()
    fill(builder)
    document = builder.build(source=title, title=title)
    return Excerpt(document, document.blocks)


def shown(*excerpts):
    """What a prompt of these excerpts shows."""
    marks = ("【文档{}】", "[Document {}] ")
    return view.read(
        "\n\n".join(
            f"{marks[e.language == 'en'].format(n)}{e.document.title}\n{e.text}" for n, e in enumerate(excerpts, 1)
        )
    )


def every(construct, *excerpts, tries=40):
    """The candidates of so many slots."""
    scenes = [Scene(tuple(excerpts), slot, random.Random(slot)) for slot in range(tries)]
    return [c for c in map(construct, scenes) if isinstance(c, Candidate)]


def only(construct, *excerpts):
    """What the first slot gives."""
    return construct(Scene(tuple(excerpts), 0, random.Random(0)))


def score(metric, candidate, response=None):
    """The score of a response, or of the gold, to a candidate whose answer is a list."""
    record = parse_record(
        {
            "data_source": "x",
            "prompt": [{"role": "user", "content": "x"}],
            "ability": "x",
            "reward_model": {"style": "rule", "ground_truth": {"golden_label": "", "doc_ids": list(candidate.gold)}},
            "extra_info": {"metric": metric, "reward_mode": metric},
        }
    )
    return score_response(record, gold_response(record) if response is None else response).value


def check(metric, candidate, *excerpts):
    """Brute force finds the gold, the gold scores 1.0, the evidence holds the proof, quotations stand once."""
    found, gold = (list(map(normalise, items)) for items in (candidate.solve(shown(*excerpts)), candidate.gold))
    assert found == gold if metric in ("ndcg", "pairwise") else sorted(found) == sorted(gold)
    assert score(metric, candidate) == 1.0
    texts = [excerpts[place.excerpt].document.slice(place.span) for place in candidate.evidence]
    assert all(any(normalise(p) in normalise(t) for t in texts) for p in candidate.proof or candidate.gold)
    flat = "\n".join(e.flat for e in excerpts)
    assert all(flat.count(normalise(text)) == 1 for text in candidate.once)
