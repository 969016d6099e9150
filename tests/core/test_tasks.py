import pytest

from golongrl.core.tasks import CAPABILITIES, LEGACY_SOURCES, LONGBENCH_PRO, METRICS, metric_name


def test_nine_capabilities_each_with_its_own_metric():
    assert list(CAPABILITIES) == [f"T{n}" for n in range(1, 10)]
    assert list(METRICS) == ["em", "choice", "f1", "math", "iou", "subem", "ndcg", "pairwise", "rouge_l"]
    assert [capability.metric for capability in CAPABILITIES.values()] == list(METRICS)


def test_a_record_labelled_by_the_table_gets_the_metric_of_the_table():
    for capability in CAPABILITIES.values():
        assert metric_name(capability.data_source, {"reward_mode": capability.reward_mode}) == capability.metric


def test_the_25_tasks_of_longbench_pro():
    assert len(LONGBENCH_PRO) == 25
    counts = {metric: list(LONGBENCH_PRO.values()).count(metric) for metric in METRICS}
    # NDCG T1.1-2; Pairwise T2.1-2, T6.3; Accuracy T3.1-2, T11.1-2; Summary T4.1-2; F1 T5.1-2, T6.2, T7.1-3, T9.1-2;
    # SubEM T6.1, T8.1-3, T10.1-2.
    assert counts == {
        **{"em": 0, "choice": 4, "f1": 8, "math": 0, "iou": 0, "subem": 6, "ndcg": 2, "pairwise": 3, "rouge_l": 2}
    }
    sections = [name.split(" ")[0] for name in LONGBENCH_PRO]
    assert sections[0] == "T1.1"
    assert sections[-1] == "T11.2"
    assert len(set(sections)) == 25


@pytest.mark.parametrize(
    ("data_source", "extra_info", "expected"),
    [
        ("EM", {}, "em"),
        ("EM", {"metric": "f1"}, "f1"),
        ("EM", {"metric": "f2"}, None),
        ("EM", {"metric": "", "reward_mode": None}, "em"),
        ("longbench_pro", {"reward_mode": "T4.2 Query-Focused Summary"}, "rouge_l"),
        ("longbench_pro", {}, None),
        ("anything", {"reward_mode": "selection"}, "choice"),
        ("selection", {"reward_mode": "EM"}, "em"),
        ("my_math_longcot_math_verify_v2", {"reward_mode": "unknown"}, "math"),
        ("multitableqa_pretraining", {"reward_mode": ""}, "iou"),
        ("em", {}, None),
        ("", {}, None),
    ],
)
def test_metric_name(data_source, extra_info, expected):
    assert metric_name(data_source, extra_info) == expected


def test_legacy_names_lead_to_known_metrics():
    assert set(LEGACY_SOURCES.values()) | set(LONGBENCH_PRO.values()) == set(METRICS)
