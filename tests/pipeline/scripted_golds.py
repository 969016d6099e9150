"""Gold answers of finished records in a file, by which the scripted model answers questions of others."""

import functools
import json
import re
from pathlib import Path


def remember(records, path):
    """Write the gold answers of records, and what a prompt must show for them, to a file for SCRIPTED_GOLDS."""
    from golongrl.rewards import gold_response

    with open(path, "w", encoding="utf-8") as handle:
        for record in records:
            info, prompt = record.extra_info, record.prompt[-1].content
            row = {
                "question": info["question"].partition("\nA. ")[0],
                "reply": gold_response(record),
                "option": "",
                "evidence": [prompt[one["start"] : one["end"]] for one in info.get("evidence_in_prompt") or ()],
            }
            letter = record.gold.golden_label.strip()
            if record.metric == "choice" and info.get("options"):
                row["option"] = info["options"]["ABCDEFGH".index(letter)]
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")


@functools.cache
def remembered(path):
    """Question -> what is known of it."""
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").split("\n") if line] if path else []
    return {row["question"]: row for row in rows}


def recalled(known, question, documents):
    """The known answer, where the documents show all that it rests on."""
    if not all(one in documents for one in known["evidence"]) or not re.search(r"\[Document \d|【文档\d", documents):
        return None
    if not known["option"]:
        return known["reply"]
    # Options stand in another order in every build.
    letters = {text: letter for letter, text in re.findall(r"^([A-H])\. (.+)$", question, re.MULTILINE)}
    return f"The correct answer is ({letters[known['option']]})" if known["option"] in letters else None
