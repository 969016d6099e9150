import pytest

from golongrl.rewards.token_f1 import token_f1


@pytest.mark.parametrize(
    ("prediction", "gold", "expected"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1.0),
        ("the tall Eiffel Tower in Paris", "Eiffel Tower", 4 / 7),
        ("the the", "a", 0.0),
        ("yes yes no", "yes no no", 2 / 3),
        ("", "x", 0.0),
    ],
)
def test_english(prediction, gold, expected):
    assert token_f1(prediction, gold) == pytest.approx(expected)


def test_chinese_words_without_punctuation():
    assert token_f1("北京大学。", "北京大学", chinese=True) == 1.0
    assert token_f1("在 北京大学", "北京大学！", chinese=True) == pytest.approx(2 / 3)
    assert token_f1("清华", "北京大学", chinese=True) == 0.0
