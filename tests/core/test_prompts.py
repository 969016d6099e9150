import itertools
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core import prompts
from golongrl.core.prompts import MARKS, PromptFile, common_bytes, encode, measure

CONVERSATIONS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": st.text(max_size=40)}),
    min_size=1,
    max_size=4,
)


def ask(text):
    return [{"role": "user", "content": text}]


@settings(deadline=None, max_examples=50)
@given(CONVERSATIONS)
def test_what_is_kept_comes_back_and_is_known_by_its_content(tmp_path_factory, conversation):
    store = PromptFile(tmp_path_factory.mktemp("kept"))
    kept = store.add(conversation)
    assert kept.messages() == conversation
    assert b"".join(kept.parts()) == encode(conversation)
    assert measure(conversation).key == kept.key
    assert measure([*conversation, *ask("x")]).key != kept.key
    store.close()


def test_messages_are_utf8_json_with_sorted_keys():
    assert (
        encode([{"role": "user", "content": '灯\n"\x01'}]) == '[{"content":"灯\\n\\"\\u0001","role":"user"}]'.encode()
    )
    assert json.loads(encode(ask("half \ud800"))) == ask("half \ud800")


def test_a_long_common_start_is_kept_once(tmp_path):
    store = PromptFile(tmp_path)
    document = "".join(f"line {number}\n" for number in range(40_000))
    found = [store.add(ask(f"{document}Question {number}?")) for number in range(10)]
    size = len(encode(ask(document)))
    assert found[0].n_bytes > 400_000
    # A 16th of a doubling at most lies behind the last mark, and is kept each time.
    assert store.size < 1.5 * size
    assert [p.messages() for p in found] == [ask(f"{document}Question {number}?") for number in range(10)]
    assert len({p.key for p in found}) == 10


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 200_000), st.integers(0, 2000), st.integers(0, 2000))
def test_what_two_prompts_share_is_never_overstated_and_close(shared, first, second):
    start = "".join(chr(97 + place % 23) for place in range(shared))
    one, other = (encode(ask(start + tail)) for tail in ("A" * first + "!", "B" * second + "?"))
    truth = next(place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    found = common_bytes(measure(ask(start + "A" * first + "!")), measure(ask(start + "B" * second + "?")))
    assert found <= truth
    assert found == max((mark for mark in MARKS if mark <= truth), default=0)


def test_equal_and_different_prompts():
    text = "x" * 5000
    assert common_bytes(measure(ask(text)), measure(ask(text))) == max(
        m for m in MARKS if m <= len(encode(ask(text)))
    )
    assert common_bytes(measure(ask("a" + text)), measure(ask("b" + text))) == 0


def test_a_measured_prompt_has_no_text():
    with pytest.raises(ValueError, match="not kept"):
        measure(ask("x")).parts()


def test_nothing_is_left_behind_and_a_full_disk_is_one_clear_error(tmp_path):
    script = f"""
import resource
from golongrl.core import errors, prompts
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = prompts.PromptFile({str(tmp_path)!r})
try:
    for number in range(9):
        store.add([{{"role": "user", "content": str(number) * 40_000}}])
except errors.StorageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "no space left" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_marks_grow_and_reach_beyond_any_prompt():
    assert all(a < b for a, b in itertools.pairwise(MARKS))
    assert MARKS[-1] > 1 << 34
    assert all(b / a < 1.05 for a, b in itertools.pairwise(MARKS) if a >= prompts._KEPT_ONCE)
