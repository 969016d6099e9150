"""The ideal response of a record: what proves that a gold answer scores 1.0 under its own reward."""

from golongrl.core.errors import DataError
from golongrl.core.records import Record
from golongrl.rewards.choice import gold_letter
from golongrl.rewards.items import gold_aliases, gold_texts
from golongrl.rewards.math import gold_expression
from golongrl.rewards.retrieval_math import document_ids, names_documents
from golongrl.rewards.rouge_l import references


def gold_response(record: Record) -> str:
    """A response without thinking that states the gold answer in the form its metric reads.

    Raises DataError when the record holds no gold answer.
    """
    if record.form == "iou":
        golds = [record.gold.golden_label] if record.gold.golden_label.strip() else []
    elif record.form == "math":
        golds = [gold for gold in gold_aliases(record) if gold_expression(gold).text]
    elif record.form in ("em", "choice"):
        golds = gold_aliases(record)
    elif record.form == "rouge_l":
        golds = [reference.text for reference in references(record)]
    else:
        golds = gold_texts(record)
    if not golds:
        raise DataError(f"the ground truth is empty; metric {record.metric!r} reads golden_label or doc_ids")
    if record.form == "iou":
        return f"<answer>{golds[0]}</answer>"
    if record.form == "choice" and all(map(gold_letter, golds)):
        return f"The correct answer is ({gold_letter(golds[0])})"
    if record.form == "math":
        boxed = f"\\boxed{{{gold_expression(golds[0]).text}}}"
        if not names_documents(record):
            return boxed
        named = "".join(f"<|doc_{name}|>" for name in sorted(document_ids(" ".join(record.gold.doc_ids))))
        return f"<relevant_doc_ids>{named}</relevant_doc_ids>\n<continue_reasoning>\n{boxed}\n</continue_reasoning>"
    if record.form == "rouge_l":
        return f"[Answer]\n{golds[0]}"
    if record.form in ("em", "choice"):
        prefix = str(record.extra_info.get("strict_prefix") or "")
        if record.form == "em" and prefix:
            return golds[0] if golds[0].strip().startswith(prefix) else prefix + golds[0].strip()
        return f"[Answer]\n{golds[0]}"
    return "[Answer]\n" + "\n".join(" ".join(gold.split()) for gold in golds)
