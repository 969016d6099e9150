"""What models answer, by a function instead of a server; and records with documents to ask about."""

from dataset_records import make

from golongrl.core.chat import ChatError, Generation


class ScriptedCalls:
    """`script(call)` gives the answer's text, or a Generation; every call must be run before it is read."""

    def __init__(self, script, think="optional"):
        self.script, self.mode = script, think
        self.asked = []
        """Calls in the order in which they were run, each once."""
        self.labels = []
        self._done = set()

    def run(self, calls, progress=None, label="calls"):
        self.labels.append(label)
        for call in calls:
            if self._key(call) not in self._done:
                self._done.add(self._key(call))
                self.asked.append(call)

    def result(self, call):
        assert self._key(call) in self._done
        answer = self.script(call)
        return answer if isinstance(answer, Generation) else Generation(key="k", text=answer, finish_reason="stop")

    def think(self, name):
        return self.mode

    def _key(self, call):
        return call.model, str(call.messages), call.seed, call.repeat


def prompt_of(call):
    """The text that a call asks."""
    return call.messages[-1]["content"]


def failed(kind):
    """An answer that will never come."""
    return Generation(key="k", error=ChatError(kind=kind, message="no"))


def cut(text):
    """An answer that reached the token limit."""
    return Generation(key="k", text=text, finish_reason="length")


EN = ("Read the documents and answer the question.", "Question: ", "[Document {}] ")
EN_FIRST = ("Read the question, then answer it from the documents below.", "Question: ", "[Document {}] ")
ZH = ("阅读以下文档，然后回答问题。", "问题：", "【文档{}】")
ZH_FIRST = ("先读问题，再阅读其后的文档作答。", "问题：", "【文档{}】")


def documented(capability, question, gold, documents, *, evidence=(), first=False, language="en", **info):
    """A record whose prompt shows (title, text) documents; `evidence` are texts that stand once in the prompt."""
    opening, label, mark = {"en": (EN, EN_FIRST), "zh": (ZH, ZH_FIRST)}[language][first]
    context = "\n\n".join(
        f"{mark.format(number)}{title}\n{text}" for number, (title, text) in enumerate(documents, 1)
    )
    asked = label + question
    parts = [opening, asked, context, "Do answer."] if first else [opening, context, asked, "Do answer."]
    prompt = "\n\n".join(parts)
    spans = []
    for text in evidence:
        assert prompt.count(text) == 1, text
        spans.append((prompt.index(text), prompt.index(text) + len(text)))
    return make(
        capability,
        question,
        gold,
        prompt=prompt,
        evidence=spans,
        language=language,
        docs=[f"d{number}" for number in range(len(documents))],
        question_position="before" if first else "after",
        **{"generator": "qa/squad", **info},
    )
