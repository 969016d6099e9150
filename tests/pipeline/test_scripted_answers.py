"""The scripted model of the tests: it must answer what it asks, or the funnel of a whole build means nothing."""

import pytest
import scripted_answers
import scripted_golds
import synthesis_texts
from scripted_calls import ScriptedCalls, documented
from synthesis_texts import ALL, cells, scripted, shop

from golongrl.core.tasks import CAPABILITIES
from golongrl.pipeline.dataset.construct.form import lettered
from golongrl.pipeline.dataset.context import INSTRUCTIONS
from golongrl.pipeline.dataset.questions.gold_score import ground_truth
from golongrl.pipeline.dataset.synthesis.synthesize import synthesize
from golongrl.rewards import score_response


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("capability", ALL)
def test_the_scripted_model_answers_its_own_questions_from_the_documents_alone(tmp_path, capability, language):
    library, settings, assignment = shop(tmp_path)
    result = synthesize(library, settings, assignment, cells(24, ("4k",), (capability,)), ScriptedCalls(scripted))
    metric = CAPABILITIES[capability].metric
    values = []
    for item in result.items:
        if item.language != language:
            continue
        text = next(one.text for one in synthesis_texts.documents() if one.sha256 == item.shown[0].doc)
        question = f"{item.question}\n{lettered(item.options)}" if item.options else item.question
        label = "问题：" if language == "zh" else "Question: "
        tail = f"{label}{question}\n\n{INSTRUCTIONS[metric][language]}"
        record = {
            "data_source": CAPABILITIES[capability].data_source,
            "prompt": [{"role": "user", "content": "-"}],
            "reward_model": {"ground_truth": ground_truth(item)},
            "extra_info": {"metric": metric, "language": language, "question": item.question},
        }
        reply = scripted_answers.answer([{"role": "user", "content": f"Read.\n\n{text}\n\n{tail}"}], None, "m", 1)
        values.append(score_response(record, reply).value)
        blind = scripted_answers.answer([{"role": "user", "content": f"Answer.\n\n{tail}"}], None, "m", 1)
        if not any(word in question for word in (" plus ", "加", "backwards", "倒过来")):
            assert blind.endswith(scripted_answers.UNKNOWN)
        weak = [
            scripted_answers.answer([{"role": "user", "content": f"Read.\n\n{text}\n\n{tail}"}], None, "weak-50", n)
            for n in range(40)
        ]
        assert 5 < sum(one.endswith(scripted_answers.UNKNOWN) for one in weak) < 35 or values[-1] != 1
    # Some golds are wrong on purpose.
    assert values
    assert sum(value == 1 for value in values) >= 0.5 * len(values)


def test_the_scripted_model_answers_others_from_a_file_where_the_evidence_is_shown(tmp_path, monkeypatch):
    fact = "The mill was sold to a cooper in the year of the flood."
    record = documented(
        "T2", "What was the mill sold to?\nA. a cooper\nB. a baker", "A", [("Mill", fact)], evidence=[fact]
    )
    record.extra_info["options"] = ["a cooper", "a baker"]
    scripted_golds.remember([record], tmp_path / "golds.jsonl")
    monkeypatch.setenv("SCRIPTED_GOLDS", str(tmp_path / "golds.jsonl"))

    def reply(prompt):
        return scripted_answers.answer([{"role": "user", "content": prompt}], None, "m", 1)

    prompt = record.prompt[-1].content
    assert reply(prompt).endswith("The correct answer is (A)")
    turned = prompt.replace("A. a cooper\nB. a baker", "A. a baker\nB. a cooper")
    assert reply(turned).endswith("The correct answer is (B)")
    assert reply(prompt.replace(fact, "Nothing.")).endswith(scripted_answers.UNKNOWN)
