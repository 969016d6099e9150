"""MRCR grading: how much of a verbatim answer came back, given its random prefix.

Source: the grader published with the dataset `openai/mrcr`, which compares with `difflib.SequenceMatcher.ratio()`.
"""

from difflib import SequenceMatcher

_CLOSE = "</think>"


def mrcr_ratio(response: str, answer: str, prefix: str) -> float:
    """Similarity in [0, 1] of a whole response (thinking included) and the answer, 0.0 without the prefix.

    A response that starts with the prefix is graded as it stands. Otherwise it is cut at the first `</think>` after
    which it does (the answer itself may quote the tag), else at the last. Both sides lose surrounding white space,
    then the prefix. The ratio keeps difflib's autojunk heuristic, as the published scores do.
    """
    graded = _graded_text(response, prefix)
    if not graded.startswith(prefix):
        return 0.0
    gold = answer.strip().removeprefix(prefix)
    return SequenceMatcher(None, graded.removeprefix(prefix), gold).ratio()


def _graded_text(response: str, prefix: str) -> str:
    text = response.strip()
    if text.startswith(prefix):
        return text
    start = response.find(_CLOSE)
    last = text
    while start >= 0:
        last = response[start + len(_CLOSE) :].strip()
        if last.startswith(prefix):
            return last
        start = response.find(_CLOSE, start + len(_CLOSE))
    return last
