"""A scripted model for `llm_server.py --script`: it writes questions about the document of a prompt and answers them.

Its questions follow from the text alone ("Which word comes right after ..."), so whoever answers can work the answer
out again from the documents shown, and cannot without them. A share of what it writes is bad on purpose. Models
called "weak-NN" answer right NN % of the time. Everything is decided by hashes of the content.

Questions of others are answered from the file that the environment variable SCRIPTED_GOLDS names (`scripted_golds`),
where their evidence is shown; without it there is only a guess.
"""

import hashlib
import json
import os
import re

from scripted_golds import recalled, remembered

UNKNOWN = "I do not know."
NAMES = {
    "aliases": "T1", "options": "T2", "items": "T3", "operands": "T4", "columns": "T5",
    "matches": "T6", "ranked": "T7", "steps": "T8", "summary": "T9",
}  # fmt: skip
"""Key of the schema -> capability."""
KEYS = {name: key for key, name in NAMES.items()}
FAULTS = ("malformed", "misquoted", "pointing", "wrong", "wrong", "known", "unproven", "named", "empty")
FAULT_PERIOD = 22
"""Of so many drafts each fault spoils one."""
_HAN = re.compile(r"[\u4e00-\u9fff]")
_MARK = {"en": re.compile(r"[.!?][\"”’)]*(?=\s|$)"), "zh": re.compile(r"[。！？][”』」]?")}
_WORD = re.compile(r"[A-Za-z]+")
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:\.\d+)?(?![\w,]|\.\d)")
_BETWEEN = re.compile(r"<document>\n(?:Title: |标题：)(?P<title>[^\n]*)\n\n(?P<text>.*)\n</document>", re.DOTALL)


def answer(messages, schema, model, seed):
    """The text of an answer."""
    prompt = messages[0]["content"]
    wanted = _BETWEEN.search(prompt)
    if wanted is not None:
        repair = len(messages) > 1
        return written(wanted["title"], wanted["text"], capability_of(schema), seed, count_of(prompt), repair)
    return replied(messages[-1]["content"], model, seed)


def drawn(*parts):
    """A number that the content decides."""
    return int(hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:12], 16)


def language_of(text):
    return "zh" if len(_HAN.findall(text)) > 0.2 * len(text) else "en"


def capability_of(schema):
    keys = schema["properties"]["questions"]["items"]["properties"]
    return next(name for key, name in NAMES.items() if key in keys)


def count_of(prompt):
    found = re.search(r"Write (\d+) such questions|请写(\d+)个这样的问题", prompt.rpartition("</document>")[2])
    return int(found[1] or found[2]) if found else 1


# What a question can be worked out from.


def sentences(text, language):
    """Sentences of the running text that begin unlike every other place of it, in order."""
    found = []
    for line in text.split("\n"):
        if not line or line.startswith(("#", "|", "- ", "`")) or re.match(r"[^\s:：]{1,20}[:：] ?\S", line):
            continue
        start = 0
        for mark in _MARK[language].finditer(line):
            one = line[start : mark.end()].strip()
            start = mark.end()
            long = len(one) >= 16 if language == "zh" else len(one.split()) >= 9
            if long and not re.search(r"[\"“”「」『』]", one) and text.count(opening(one, language)) == 1:
                found.append(one)
    return found


def opening(sentence, language):
    """The words that a question names a sentence by."""
    return sentence[:6] if language == "zh" else " ".join(sentence.split()[:4])


def sentence_at(text, start, language):
    """The sentence that begins with some words, if there is one such place."""
    if text.count(start) != 1:
        return None
    rest = text[text.index(start) :].partition("\n")[0]
    mark = _MARK[language].search(rest)
    return rest[: mark.end()] if mark else None


def after(text, lead, language):
    """The word, or the two characters, right after some words."""
    if text.count(lead) != 1:
        return None
    rest = text[text.index(lead) + len(lead) :]
    found = re.match(r"[\u4e00-\u9fff]{2}" if language == "zh" else r" ([A-Za-z]+)\b", rest)
    return (found[0] if language == "zh" else found[1]) if found else None


def parts(sentence, language, least):
    """The long words of an English sentence, or the later clauses of a Chinese one."""
    if language == "zh":
        return [one.strip("。！？ ") for one in re.split("[，、；：]", sentence)[1:]]
    head = opening(sentence, "en")
    words = [word for word in _WORD.findall(sentence[len(head) :]) if len(word) >= least]
    return [word for word in words if word.lower() not in head.lower()]


def row_of(text, first):
    """The table row that begins with a cell."""
    rows = [line for line in text.split("\n") if line.startswith(f"| {first} |")]
    return rows[0] if len(rows) == 1 else None


def cells(row):
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


# One form per capability: the question, its pattern, and how it is worked out.

FORMS = {
    "T1": {
        "en": ('Which word comes right after "{0}" in what is told of {1}?', r'^Which word comes .* after "(.+?)"'),
        "zh": ("关于{1}的叙述里，“{0}”之后紧接着的两个字是什么？", r"“(.+?)”之后紧接着的两个字是什么"),
    },
    "T2": {
        "en": ('Which of these comes right after "{0}" in what is told of {1}?', r'^Which of these .* after "(.+?)"'),
        "zh": ("关于{1}的叙述里，“{0}”之后紧接着的是哪一项？", r"“(.+?)”之后紧接着的是哪一项"),
    },
    "T3": {
        "en": (
            'Which words of {1} letters or more come after "{0}" in its sentence?',
            r'^Which words of (?P<n>\d+) letters or more come after "(?P<s>.+?)" in its sentence\?',
        ),
        "zh": ("“{0}”之后还有哪些分句？", r"^“(?P<s>.+?)”之后还有哪些分句"),
    },
    "T4": {
        "en": (
            'What is the sum of the numbers in the sentence of "{0}"?',
            r'^What is the sum of the numbers in the (?P<k>sentence|row) of "(?P<s>.+?)"\?',
        ),
        "zh": ("“{0}”那句的数字之和是多少？", r"^“(?P<s>.+?)”那(?P<k>句|行)的数字之和是多少"),
    },
    "T5": {
        "en": (
            'What are the fifth and the last word of the sentences of "{0}" and "{1}"?',
            r'^What are the fifth and the last word of the sentences of "(.+?)" and "(.+?)"\?',
        ),
        "zh": (
            "“{0}”和“{1}”两句各自的第七、八个字和最后两个字是什么？",
            r"^“(.+?)”和“(.+?)”两句各自的第七",
        ),
    },
    "T6": {
        "en": (
            'Which words come right after "{0}" and right after "{1}"?',
            r'^Which words come right after "(.+?)" and right after "(.+?)"\?',
        ),
        "zh": ("“{0}”和“{1}”之后各自紧接着的两个字是什么？", r"^“(.+?)”和“(.+?)”之后各自紧接着"),
    },
    "T7": {
        "en": (
            'Which words of {1} letters or more follow "{0}", longest first?',
            r'^Which words of (?P<n>\d+) letters or more follow "(?P<s>.+?)", longest first\?',
        ),
        "zh": ("“{0}”之后的分句从长到短怎样排列？", r"^“(?P<s>.+?)”之后的分句从长到短"),
    },
    "T8": {
        "en": (
            'In which order do these phrases stand in what is told of {0}, "{1}" being near?',
            r"^In which order do these phrases",
        ),
        "zh": ("下列语句在关于{0}的叙述里（“{1}”前后）以怎样的次序出现？", r"^下列语句在关于"),
    },
    "T9": {
        "en": (
            'How can the sentences that begin with "{0}", "{1}" and "{2}" be summed up in one?',
            r'^How can the sentences that begin with "(.+?)", "(.+?)" and "(.+?)" be summed up',
        ),
        "zh": (
            "以“{0}”、“{1}”和“{2}”开头的三个句子怎样用一句话概括？",
            r"^以“(.+?)”、“(.+?)”和“(.+?)”开头的三个句子怎样",
        ),
    },
}  # fmt: skip


def solved(capability, language, match, question, text):
    """What the text gives as the answer of a question of ours, or None when it does not hold what it asks about."""
    if capability in ("T1", "T2"):
        return after(text, match[1], language)
    if capability == "T6":
        both = [after(text, match[number], language) for number in (1, 2)]
        return both if all(both) else None
    if capability == "T8":
        phrases = re.findall(r"^- (.+)$", question, re.MULTILINE)
        return sorted(phrases, key=text.index) if phrases and all(text.count(one) == 1 for one in phrases) else None
    if capability == "T4" and match["k"] in ("row", "行"):
        row = row_of(text, match["s"])
        return row and _NUMBER.findall(row)
    if capability in ("T3", "T4", "T7"):
        sentence = sentence_at(text, match["s"], language)
        if sentence is None:
            return None
        if capability == "T4":
            return _NUMBER.findall(sentence)
        found = parts(sentence, language, int(match["n"]) if language == "en" else 0)
        return found if capability == "T3" else sorted(found, key=len, reverse=True)
    named = [sentence_at(text, match[number], language) for number in range(1, 3 if capability == "T5" else 4)]
    if not all(named):
        return None
    if capability == "T5":
        if language == "zh":
            return [[one[6:8], one.rstrip("。！？”』」")[-2:]] for one in named]
        return [[one.split()[4].strip(",;:."), one.split()[-1].strip('.!?)"”’')] for one in named]
    if language == "zh":
        first, second, third = (one[6:18].strip("，。；：、") for one in named)
        return f"开头先谈到{first}，随后转而谈到{second}，末尾又谈到{third}，三处依次相连，并无别的内容。"
    first, second, third = (" ".join(one.rstrip(".!?").split()[4:9]) for one in named)
    return f"It speaks first of {first}, next turns to {second}, and closes with {third}, one after another in turn."


# Writing questions.


def written(title, text, capability, seed, count, repair):
    """A JSON answer with `count` questions, sometimes a bad one."""
    language = language_of(text)
    fault = drawn("fault", seed, capability, text[:200]) % FAULT_PERIOD
    fault = FAULTS[fault] if fault < len(FAULTS) else ""
    if repair:
        fault = "malformed" if drawn("repair", seed) % 2 else ""
    made = [draft(title, text, capability, language, drawn(seed, number)) for number in range(count)]
    made = [one for one in made if one is not None]
    if not made:
        return json.dumps({"questions": []})
    spoil(made[0], fault, capability, language, title, text)
    reply = json.dumps({"questions": made}, ensure_ascii=False)
    return reply[: len(reply) * 2 // 3] if fault == "malformed" else f"<think>{len(text)} characters</think>{reply}"


def draft(title, text, capability, language, turn):
    """A question as the schema wants it, or None when the text holds nothing for it."""
    found = sentences(text, language)
    form, pattern = FORMS[capability][language]
    title = re.sub(r"[\"“”]", "", title)
    for number in range(len(found)):
        own = [found[(turn + 7 * number + 3 * step) % len(found)] for step in range(4)]
        made = arguments(title, text, capability, language, own)
        if made is None:
            continue
        slots, evidence = made
        question = form.format(*slots)
        if capability == "T4" and not slots[1:]:
            question = question.replace("sentence", "row").replace("那句", "那行")
        asked = question
        if capability == "T8":
            asked += "".join(f"\n- {phrase}" for phrase in slots[2:])
        gold = solved(capability, language, re.search(pattern, asked), asked, text)
        shaped = shape(capability, language, gold, text, turn) if gold else None
        if shaped is not None:
            return {"evidence": evidence, "question": question, **shaped}
    return None


def arguments(title, text, capability, language, own):
    """(what goes into the form, evidence) for some sentences, or None."""
    heads = [opening(one, language) for one in own]
    if capability in ("T1", "T2"):
        lead = lead_of(text, own[0], language)
        return lead and ((lead, title), [own[0]])
    if capability == "T6":
        leads = [lead_of(text, one, language) for one in own[:2]]
        return (leads, own[:2]) if all(leads) and own[0] != own[1] else None
    if capability in ("T3", "T7"):
        least = threshold(own[0], language, capability)
        return least and ((heads[0], least), [own[0]])
    if capability == "T4":
        if len(_NUMBER.findall(own[0])) >= 2:
            return (heads[0], ""), [own[0]]
        rows = [line for line in text.split("\n") if line.startswith("| ") and len(_NUMBER.findall(line)) >= 2]
        rows = [row for row in rows if row_of(text, cells(row)[0]) and text.count(row) == 1]
        row = rows[drawn(own[0]) % len(rows)] if rows else None
        return row and ((cells(row)[0],), [row])
    if len(set(own)) < 4:
        return None
    if capability == "T8":
        phrases = [one[6:14] if language == "zh" else " ".join(one.split()[4:8]) for one in own]
        phrases = [one.strip("，。；：、,;:.") for one in phrases]
        return ((title, heads[0], *phrases), own) if all(text.count(one) == 1 for one in phrases) else None
    several = 2 if capability == "T5" else 3
    return heads[:several], own[:several]


def lead_of(text, sentence, language):
    """Words in the middle of a sentence after which a long word comes that stands nowhere else."""
    if language == "zh":
        for at in range(2, len(sentence) - 9):
            lead, word = sentence[at : at + 6], sentence[at + 6 : at + 8]
            if re.fullmatch(r"[\u4e00-\u9fff]{8}", lead + word) and text.count(lead) == text.count(word) == 1:
                return lead
        return None
    words = sentence.split()
    for at in range(1, len(words) - 5):
        lead, word = " ".join(words[at : at + 4]), words[at + 4]
        if re.fullmatch(r"[A-Za-z]{5,}", word) and text.count(lead) == 1 and text.lower().count(word.lower()) == 1:
            return lead
    return None


def threshold(sentence, language, capability):
    """The length from which the words of a sentence make a good list, or None."""
    fewest = 3 if capability == "T7" else 2
    for least in (8, 7, 6, 5) if language == "en" else (1,):
        found = parts(sentence, language, least)
        apart = len({len(one) for one in found}) == len(found) if capability == "T7" else True
        plain = all(1 < len(one) <= 24 for one in found) and len(set(map(str.lower, found))) == len(found)
        if fewest <= len(found) <= 6 and apart and plain:
            return least
    return None


def shape(capability, language, gold, text, turn):
    """The keys of the answer, as the schema names them."""
    if capability == "T1":
        return {"answer": gold, "aliases": []}
    if capability == "T2":
        pool = sorted(set(re.findall(r"[\u4e00-\u9fff]{2}" if language == "zh" else r"\b[a-z]{5,8}\b", text)))
        pool = [word for word in pool if word != gold.lower()]
        if len(pool) < 3:
            return None
        start = turn % len(pool)
        options = [pool[(start + step * (len(pool) // 3)) % len(pool)] for step in range(3)]
        place = turn % 4
        return {"options": [*options[:place], gold, *options[place:]], "right": "ABCD"[place]}
    if capability == "T4":
        return {"operands": gold, "expression": " + ".join(gold), "number": sum_of(gold), "unit": ""}
    if capability == "T5":
        columns = ["第七、八个字", "最后两个字"] if language == "zh" else ["fifth word", "last word"]
        return {"columns": columns, "rows": gold}
    if capability == "T7":
        return {"ranked": [{"item": one, "value": str(len(one))} for one in gold]}
    return {KEYS[capability]: gold}


def sum_of(numbers):
    """The sum of some numbers, to two places where it is not whole."""
    return f"{sum(map(float, numbers)):.2f}".rstrip("0").rstrip(".")


def spoil(made, fault, capability, language, title, text):
    """Put a fault into a question."""
    if fault == "misquoted":
        made["evidence"] = [one[::-1] for one in made["evidence"]]
    elif fault == "pointing":
        head = "根据上文，" if language == "zh" else "In the passage above: "
        made["question"] = head + made["question"]
    elif fault == "empty":
        made["question"] = "何？" if language == "zh" else "What?"
    elif fault == "named":
        told = next(value for key, value in made.items() if key not in ("evidence", "question"))
        told = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
        made["question"] += f"（{told}）" if language == "zh" else f" ({told})"
    elif fault == "known" and capability == "T4":
        made["operands"] = made["operands"][:2]
        made["expression"] = " + ".join(made["operands"])
        made["number"] = sum_of(made["operands"])
        first, second = made["operands"]
        made["question"] = f"{first}加{second}等于多少？" if language == "zh" else f"What is {first} plus {second}?"
    elif fault == "known" and capability == "T1":
        turned = made["answer"][::-1]
        asks = (
            "“{}”倒过来读是{}的叙述里的哪个词？" if language == "zh" else 'Which word of "{}" read backwards fits {}?'
        )
        made["question"] = asks.format(turned, title)
    elif fault == "unproven" and capability == "T2":
        made["evidence"] = [one for one in sentences(text, language) if one not in made["evidence"]][:1]
    elif fault == "wrong":
        if capability == "T1":
            made["answer"] = made["evidence"][0][:2] if language == "zh" else made["evidence"][0].split()[0]
        elif capability == "T2":
            made["right"] = "ABCD"["BCDA".index(made["right"])]
        elif capability == "T4":
            made["expression"], made["number"] = made["expression"] + " + 1", str(float(made["number"]) + 1)
        elif capability in ("T3", "T6", "T8"):
            key = KEYS[capability]
            made[key] = made[key][::-1] if capability == "T8" else made[key][:2]


# Answering.


def replied(prompt, model, seed):
    """The answer to the prompt of a record."""
    question, documents = asked(prompt)
    right = solution(question, documents)
    share = re.fullmatch(r"weak-(\d+)", model)
    if right is None:
        return f"<think>no such place</think>{UNKNOWN}"
    if share and drawn("weak", question, seed) % 100 >= int(share[1]):
        return f"<think>lost</think>{UNKNOWN}"
    return f"<think>found</think>{right}"


def asked(prompt):
    """(question, all of the prompt but the question)."""
    found = list(re.finditer(r"(?:^|\n\n)(?:Question: |问题：)(.*?)(?=\n\n|$)", prompt, re.DOTALL))
    if not found:
        return "", prompt
    early = prompt.startswith(("Read the question", "先读问题"))
    one = found[0] if early else found[-1]
    return one[1], prompt[: one.start()] + "\n\n" + prompt[one.end() :]


def solution(question, documents):
    """The formatted answer, or None when the documents do not give one."""
    language = language_of(question)
    known = re.search(r"^What is ([\d.]+) plus ([\d.]+)\?|^([\d.]+)加([\d.]+)等于多少", question)
    if known is not None:
        return formatted("T4", [one for one in known.groups() if one], question)
    turned = re.search(r'^Which word of "(.+?)" read backwards|^“(.+?)”倒过来读', question)
    if turned is not None:
        return formatted("T1", (turned[1] or turned[2])[::-1], question)
    for capability, form in FORMS.items():
        match = re.search(form[language][1], question)
        if match is not None:
            gold = solved(capability, language, match, question, documents)
            return formatted(capability, gold, question) if gold else None
    known = remembered(os.environ.get("SCRIPTED_GOLDS", "")).get(question.partition("\nA. ")[0])
    return guessed(question, documents) if known is None else recalled(known, question, documents)


def formatted(capability, gold, question):
    """An answer in the form that its metric reads."""
    if capability == "T2":
        letters = {text.strip(): letter for letter, text in re.findall(r"^([A-H])\. (.+)$", question, re.MULTILINE)}
        return f"The correct answer is ({letters[gold]})" if gold in letters else None
    if capability == "T4":
        return f"\\boxed{{{sum_of(gold)}}}"
    if capability == "T5":
        return f"<answer>{json.dumps({'data': gold}, ensure_ascii=False)}</answer>"
    return "[Answer]\n" + ("\n".join(gold) if isinstance(gold, list) else gold)


def guessed(question, documents):
    """An answer to a question of somebody else: what stands in the sentence most like it."""
    language = language_of(question)
    head, _, tail = question.partition("\nA. ")
    lines = [one for one in re.split(r"(?<=[.!?。！？])\s*|\n", documents) if one.strip()]
    if language == "zh":
        keys = {head[at : at + 2] for at in range(len(head) - 1)}
    else:
        keys = {word.lower() for word in _WORD.findall(head) if len(word) > 3}
    if not lines or not keys:
        return None

    def shared(text):
        return sum(key in text.lower() for key in keys)

    best = max(lines, key=shared)
    if 2 * shared(best) < len(keys):
        return None
    if tail:
        options = re.findall(r"^([A-H])\. (.+)$", question, re.MULTILINE)
        letter = next((letter for letter, option in options if option.strip(".。").lower() in best.lower()), None)
        return letter and f"The correct answer is ({letter})"
    pattern = r"[\u4e00-\u9fff]{2,4}|\d+" if language == "zh" else r"(?:[A-Z]\w+ ?){1,3}|\d[\d.,]*"
    names = [one.strip(" .,") for one in re.findall(pattern, best)]
    names = [one for one in names if one and one.lower() not in question.lower() and not best.startswith(one)]
    return f"[Answer]\n{names[-1]}" if names else None
