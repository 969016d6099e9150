"""Questions, answers and contexts out of the rows of evaluation data of any layout, found by the names of fields.

Known layouts: flat rows (LongBench, LongBench v2, FRAMES, InfiniteBench, LongMemEval, L-Eval), contexts as mappings
(HotpotQA), questions nested in documents (SQuAD, CMRC, TAT-QA, QMSum, LooGLE), chats (MRCR, BFCL, verl records).
"""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


QUESTIONS: dict[str, int] = {
    **dict.fromkeys(("question", "query", "q", "problem", "questiontext", "questionstem"), 0),
    **dict.fromkeys(("instruction", "instructions"), 1),
    **dict.fromkeys(("input", "prompt", "messages", "conversation", "conversations"), 2),
}
"""Names of questions (without case, spaces, "_" and "-") and their rank: where a better one is present, what the
others hold is context."""
ANSWERS = _names(
    "answer answers a b c d gold golds goldanswer goldenanswer goldenanswers goldenlabel groundtruth groundtruths "
    "correctanswer correctanswers expectedanswer possibleanswers reference references target targets output outputs "
    "solution summary label labels docids choice choices option options choicea choiceb choicec choiced"
)
CONTEXTS = _names(
    "context contexts ctxs document documents doc docs passage passages paragraph paragraphs haystack "
    "haystacksessions sessions transcript transcripts meetingtranscripts dialogue dialog article articles text texts "
    "content story book background body table evidence evidences wikiitems"
)
IDS = ("id", "questionid", "qid", "uid")
LONGEST_QUESTION = 4_000
"""Characters of a prompt above which it is taken for a context with a question at its beginning or end."""
QUESTION_ENDS = 1_000
"""Characters at either end of such a prompt that are taken for its question."""
_NO_TEXT = frozenset({"id", "uid", "role", "url", "link", "type", "date", "order", "answerstart", "answertype"})


@dataclass(frozen=True)
class Sample:
    """One question of a benchmark with its answers and choices; `row` says where it stands."""

    row: str
    question: str
    answers: tuple[str, ...]


@dataclass
class _Scope:
    questions: dict[int, list[Any]] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    contexts: list[str] = field(default_factory=list)
    inner: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    label: str = ""


def read(row: Mapping[str, Any], where: str) -> tuple[list[Sample], list[tuple[str, str]]]:
    """The samples of a row, and its contexts as (where, text); two empty lists where no name is known."""
    samples, contexts, _ = _read(row, where)
    return samples, contexts


def _read(row: Mapping[str, Any], where: str) -> tuple[list[Sample], list[tuple[str, str]], int]:
    scope = _Scope()
    _collect(row, scope, where)
    samples: list[Sample] = []
    contexts: list[tuple[str, str]] = []
    rank = min(scope.questions, default=9)
    for place, inner in scope.inner:
        found, texts, best = _read(inner, place)
        samples += found
        contexts += texts
        rank = min(rank, best)
    label = f"{where} ({scope.label})" if scope.label else where
    questions: list[str] = []
    for own, values in sorted(scope.questions.items()):
        for value in values:
            asked, shown = _asked(value) if own == rank else ([], _texts(value))
            questions += asked
            scope.contexts += shown
    contexts += [(label, text) for text in scope.contexts if text.strip()]
    if len(questions) > 1 and len(questions) == len(scope.answers):
        samples += [Sample(label, one, (two,)) for one, two in zip(questions, scope.answers, strict=True)]
    elif questions or scope.answers:
        samples += [Sample(label, one, tuple(scope.answers)) for one in questions or [""]]
    return samples, contexts, rank


def _collect(row: Mapping[str, Any], scope: _Scope, where: str) -> None:
    """Sort the fields of a row; objects under other names belong to the row, those that ask for themselves do not."""
    asking = [name for name, value in row.items() if isinstance(value, Mapping) and _asks(value)]
    for name, written in row.items():
        value, key = _decoded(written), _plain(name)
        if isinstance(value, list) and _asks(value):
            scope.inner += [(f"{where}.{name}[{i}]", one) for i, one in enumerate(value) if isinstance(one, Mapping)]
        elif len(asking) > 1 and name in asking:
            scope.inner.append((f"{where}.{name}", value))
        elif key in QUESTIONS:
            # An empty question leaves the row to fields of a lower rank.
            if _texts(value):
                scope.questions.setdefault(QUESTIONS[key], []).append(value)
        elif key in ANSWERS:
            scope.answers += _texts(value)
        elif key in CONTEXTS:
            scope.contexts.append("\n".join(_texts(value)))
            if value is not written:
                # Where JSON itself is what the question is about, its names and numbers are text too.
                scope.contexts.append(written)
        elif isinstance(value, Mapping):
            _collect(value, scope, where)
        elif key in IDS and not scope.label and isinstance(value, str | int):
            scope.label = str(value)


def _plain(name: Any) -> str:
    return str(name).casefold().replace("_", "").replace("-", "").replace(" ", "")


def _asks(value: Any) -> bool:
    """Whether an object somewhere inside has a question of the first rank."""
    if isinstance(value, Mapping):
        return any(QUESTIONS.get(_plain(name)) == 0 or _asks(inner) for name, inner in value.items())
    return isinstance(value, list) and any(_asks(inner) for inner in value)


def _decoded(value: Any) -> Any:
    """A list or object that a text spells out as JSON or as Python writes it; any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[{", "[[", '{"', "{'", '["', "['")):
        return value
    for read_text in (json.loads, ast.literal_eval):
        try:
            decoded = read_text(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return decoded if isinstance(decoded, list | dict) else value
    return value


def _asked(value: Any) -> tuple[list[str], list[str]]:
    """(questions, contexts) of a question's value: the last thing the user says in a chat is the question."""
    turns = list(_turns(value))
    if turns:
        users = [number for number, (role, _) in enumerate(turns) if role not in ("assistant", "gpt", "system")]
        last = users[-1] if users else len(turns) - 1
        asked, shown = [turns[last][1]], ["\n".join(text for number, (_, text) in enumerate(turns) if number != last)]
    else:
        asked, shown = _texts(value), []
    questions: list[str] = []
    for text in asked:
        if len(text) > LONGEST_QUESTION:
            shown.append(text)
            questions += [text[:QUESTION_ENDS], text[-QUESTION_ENDS:]]
        else:
            questions.append(text)
    return questions, shown


def _turns(value: Any) -> Iterator[tuple[str, str]]:
    """(role, text) of the messages of a chat, however deep they are nested."""
    if isinstance(value, Mapping):
        role, content = value.get("role", value.get("from")), value.get("content", value.get("value"))
        if isinstance(role, str) and content is not None:
            yield role, "\n".join(_texts(content))
    elif isinstance(value, list):
        for inner in value:
            yield from _turns(inner)


def _texts(value: Any) -> list[str]:
    """All non-blank texts and numbers inside, in order, without ids and the like."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [str(value)]
    if isinstance(value, Mapping):
        return [text for name, inner in value.items() if _plain(name) not in _NO_TEXT for text in _texts(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _texts(inner)]
    return []
