"""Published question sets as items: one adapter per form, in the order in which a row's columns are tried.

What becomes of an answer, and what is refused (`checks.py` holds the thresholds):

| answer | capability, metric | from |
|---|---|---|
| a short span of the context (up to 8 words, 16 Chinese characters), all its wordings | T1, `em` | SQuAD-like, \
HotpotQA, 2Wiki, MuSiQue, LongBench, LooGLE, TAT-QA spans |
| one of three or more options | T2, `choice` | QuALITY, LongBench v2, LooGLE, LongBench Pro |
| several spans | T3, `f1` | TAT-QA, LongBench Pro |
| a number that is worked out or counted, with its unit and rounding in the question | T4, `math` | TAT-QA, FinQA, \
LooGLE, LongBench |
| events in order | T8, `pairwise` | LooGLE, LongBench Pro |
| a summary of 20 words or more, its length in the question | T9, `rouge_l` | QMSum, LongBench, LooGLE |
| as the row's own metric says | T1 to T9 | LongBench Pro, published GoLongRL rows |
| yes or no, an answer that the question names, two options, years of a financial report | refused, "guessable" | |
| a Chinese answer that begins or ends with the question's words | refused, "repeats the question" | |
| a longer free text | refused, "long answer" | |
| a span that does not stand in the context | refused, "unsupported" | |

To add a form: a file with an `Adapter`, and its line below, before any whose columns it also has.
"""

from golongrl.pipeline.dataset.qa import hotpotqa, loogle, squad
from golongrl.pipeline.dataset.qa.adapter import Adapter, QAItem, RowContext
from golongrl.pipeline.dataset.qa.finqa import FINQA
from golongrl.pipeline.dataset.qa.golongrl import GOLONGRL
from golongrl.pipeline.dataset.qa.longbench import LONGBENCH
from golongrl.pipeline.dataset.qa.longbench_pro import LONGBENCH_PRO
from golongrl.pipeline.dataset.qa.multiple_choice import LONGBENCH_V2, QUALITY
from golongrl.pipeline.dataset.qa.musique import MUSIQUE
from golongrl.pipeline.dataset.qa.qmsum import QMSUM
from golongrl.pipeline.dataset.qa.tatqa import TATQA

__all__ = ["ADAPTERS", "Adapter", "QAItem", "RowContext"]

ADAPTERS: dict[str, Adapter] = {
    adapter.name: adapter
    for adapter in (
        GOLONGRL,
        LONGBENCH_PRO,
        LONGBENCH_V2,
        QUALITY,
        TATQA,
        FINQA,
        QMSUM,
        MUSIQUE,
        hotpotqa.TWO_WIKI,
        hotpotqa.HOTPOTQA,
        squad.NESTED,
        squad.FLAT,
        LONGBENCH,
        loogle.NESTED,
        loogle.FLAT,
    )
}
"""By name."""
