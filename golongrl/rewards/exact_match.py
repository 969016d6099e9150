"""Exact match after normalisation, and verbatim answers behind a random prefix."""

from golongrl.core.records import Record, Score
from golongrl.core.text import Think, answer_area, item_forms, normalise, unwrap
from golongrl.rewards.items import content_lines, gold_aliases
from golongrl.rewards.mrcr_ratio import mrcr_ratio


def exact_match(record: Record, text: str) -> Score:
    """1 if the normalised final answer equals any gold alias, else 0."""
    aliases = {_form(alias) for alias in gold_aliases(record)} - {""}
    if not aliases:
        return Score(value=None, reason="malformed_gold", details={"problem": "no gold answer in golden_label"})
    area = answer_area(text)[0].strip()
    if area.startswith(("`", "<")):
        area = "\n".join(content_lines(area))
    answer = _form(area)
    if not answer:
        return Score(value=0.0, reason="no_answer")
    hit = answer in aliases
    if not hit and "\n" not in area and len(answer) <= max(map(len, aliases)) + 32:
        # A single line may come as a list of one.
        hit = not aliases.isdisjoint(item_forms(area))
    return Score(value=float(hit), details={"answer": answer[:200]})


def _form(text: str) -> str:
    return normalise(unwrap(normalise(text)))


def verbatim(record: Record, response: str, think: Think) -> Score:
    """Graded similarity of a verbatim answer that must start with `extra_info.strict_prefix` (MRCR's grading).

    Takes the whole response, because the answer may itself quote the closing tag: where thinking is required, or the
    response opens with it, what counts begins after the first closing tag.
    """
    prefix = str(record.extra_info["strict_prefix"])
    golds = gold_aliases(record)
    if not golds:
        return Score(value=None, reason="malformed_gold", details={"problem": "no gold answer in golden_label"})
    if think == "required" or response.lstrip().startswith("<think>"):
        _, tag, response = response.partition("</think>")
        if not tag:
            return Score(value=0.0, reason="unclosed_think")
    if not response.strip():
        return Score(value=0.0, reason="no_answer")
    return Score(value=max(mrcr_ratio(response, gold, prefix) for gold in golds), details={"prefix": prefix})
