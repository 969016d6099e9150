"""What web pages put around their text: menus, breadcrumbs, consent and rights notices; and strings for machines."""

import bisect
import itertools
import re

from golongrl.core.documents import Block, Document
from golongrl.core.text import normalise

EDGE = 0.15
"""Part of a document, in characters, at its start and its end, where menus and notices stand."""
EDGE_BLOCKS = 30
"""Fewest blocks at either end that count as edge."""
MENU_ENTRIES = 4
"""Fewest entries of a menu."""
MENU_SHARE = 0.4
"""Share of them that are words of menus."""
MENU_CHARACTERS = 30
"""Most characters of an entry of a menu."""
UNBROKEN = 100
"""Characters without a space from which a string is for machines."""
RIGHTS_CHARACTERS = 250
"""Most characters of a notice of rights."""
MACHINE_CHARACTERS = 200
"""Fewest characters of a block that can be data for machines."""

_MENU_WORDS = """
home|about|about us|contact|contact us|login|log in|sign in|sign up|register|logout|log out|search|menu|help|faq|news
blog|shop|cart|store|account|my account|privacy|privacy policy|terms|terms of service|terms of use|sitemap|site map
careers|jobs|press|support|products|services|solutions|pricing|resources|community|events|download|downloads|docs
documentation|archive|archives|categories|tags|subscribe|follow us|rss|facebook|twitter|instagram|youtube|linkedin
next|previous|prev|back|up|top|index|main page|advertise|feedback|language|english|skip to content|share|more
首页|主页|关于|关于我们|联系我们|登录|注册|搜索|帮助|新闻|产品|服务|下载|更多|网站地图|隐私政策|使用条款|上一页
下一页|返回|返回顶部|上一篇|下一篇|论坛|博客|购物车|招聘|加入我们|友情链接|返回首页|免责声明|法律声明|广告服务
首頁|關於我們|聯絡我們|登入|註冊|搜尋|幫助|新聞|產品|服務|下載|網站地圖|隱私權政策|使用條款
"""
MENU_WORDS = frozenset(word for line in _MENU_WORDS.split("\n") for word in line.split("|") if word)

_LONE = re.compile(
    r"\W*(?:skip to (?:main )?content|back to (?:top|contents)|return to top|(?:back to )?table of contents"
    r"|top of page|next|previous|prev|(?:share|follow us) on (?:facebook|twitter|linkedin|weibo)|advertisement"
    r"|返回(?:顶部|目录|首页)|回到顶部|上一[页篇章]|下一[页篇章])\W*",
    re.IGNORECASE,
)
_CRUMBS = re.compile(
    r"\W*(?:home|首页|首頁|您的位置|当前位置)\W.{0,200}?[>»›].{1,200}"
    r"|(?:[^>»›]{1,40}\s[>»›]\s){2,}[^>»›]{1,60}",
    re.IGNORECASE,
)
_CONSENT = re.compile(
    r"\b(?:we|(?:this|our) (?:web ?)?site|our partners) (?:and our partners )?uses? cookies\b|\baccept all cookies\b"
    r"|\bmanage (?:cookie|consent) (?:settings|preferences)\b|\bcookie (?:consent|settings|preferences)\b"
    r"|\bplease enable javascript\b|\bjavascript (?:is disabled|must be enabled|is required)\b"
    r"|\bsubscribe to (?:our|the) (?:free )?newsletter\b|(?:本站|本网站|我们)使用\s?cookies?"
)
_RIGHTS = re.compile(
    r"^\W*(?:copyright|\(c\)|©).{0,150}(?:all rights reserved|版权所有).{0,60}$|^all rights reserved\.?$"
    r"|^powered by [\w. ]{1,30}$|\bicp[备证]\s?\d|^[©\s]*版权所有|公网安备\s?\d"
)
_CUES = ("cookie", "javascript", "newsletter", "rights reserved", "powered by", "icp", "版权所有", "公网安备")
_ABOUT_IT = re.compile(r"cookie|privacy|consent|copyright|licen[cs]e|隐私|版权|许可", re.IGNORECASE)
_UNBROKEN = re.compile(rf"[!-~]{{{UNBROKEN},}}")


def navigation(document: Document, short: list[str]) -> set[int]:
    """Menus and breadcrumbs at the edges, and lone links such as "Back to top" anywhere."""
    found: set[int] = set()
    edges = _edges(document)
    for number in edges:
        text = short[number]
        # Looking for the mark first is many times faster than trying the expression.
        marked = ">" in text or "»" in text or "›" in text
        if marked and document.blocks[number].kind != "heading" and _CRUMBS.fullmatch(text):
            found.add(number)
    for number, text in enumerate(short):
        if 0 < len(text) <= MENU_CHARACTERS and document.blocks[number].kind != "heading" and _LONE.fullmatch(text):
            found.add(number)
    entries = [n for n in edges if _is_entry(document, short, n)]
    for _, group in itertools.groupby(enumerate(entries), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        known = sum(normalise(short[number]).strip(" >»|") in MENU_WORDS for number in run)
        if len(run) >= MENU_ENTRIES and known >= max(2, MENU_SHARE * len(run)):
            found.update(run)
    return found


def _is_entry(document: Document, short: list[str], number: int) -> bool:
    text = short[number]
    return (
        bool(text)
        and len(text) <= MENU_CHARACTERS
        and document.blocks[number].kind in ("item", "paragraph")
        and not text.endswith((".", "。", ":", "：", "?", "!", "？", "！"))
    )


def notices(document: Document, short: list[str]) -> set[int]:
    """Consent banners and rights notices at the edges, unless the document is about such things."""
    if _ABOUT_IT.search(document.title):
        return set()
    return {n for n in _edges(document) if short[n] and _is_notice(short[n]) and not _is_subject(document, n)}


def _is_notice(text: str) -> bool:
    folded = text.casefold()
    if not any(map(folded.__contains__, _CUES)):
        return False
    return bool(_CONSENT.search(folded) or (len(text) <= RIGHTS_CHARACTERS and _RIGHTS.search(folded)))


def _is_subject(document: Document, number: int) -> bool:
    """Whether the section that a block stands in is about consent or rights."""
    for block in reversed(document.blocks[max(0, number - 40) : number]):
        if block.kind == "heading":
            return bool(_ABOUT_IT.search(document.slice(block.content)))
    return False


def machine_data(document: Document, short: list[str]) -> set[int]:
    """Paragraphs and items that are mostly strings without spaces: embedded data, keys, scripts."""
    found = set()
    text = document.text
    for number, block in enumerate(document.blocks):
        start, end = block.content.start, block.content.end
        if block.kind not in ("paragraph", "item") or end - start < MACHINE_CHARACTERS:
            continue
        middle = (start + end) // 2
        # Running text has about 70 spaces in 400 characters; counting all of them would take longer than the rest.
        if text.count(" ", max(start, middle - 200), min(end, middle + 200)) > 40:
            continue
        if _share_unbroken(text[start:end]) > 0.5:
            found.add(number)
    return found


def _share_unbroken(text: str) -> float:
    # Long pieces are rare, and trying the expression on short ones takes many times as long as splitting.
    pieces = [piece for piece in text.split() if len(piece) >= UNBROKEN]
    return sum(len(run) for piece in pieces for run in _UNBROKEN.findall(piece)) / len(text)


def _start(block: Block) -> int:
    return block.span.start


def _edges(document: Document) -> list[int]:
    blocks, size = document.blocks, len(document.text)
    count = len(blocks)
    first = bisect.bisect_left(blocks, EDGE * size, hi=min(count, 2_000), key=_start)
    last = count - bisect.bisect_left(blocks, (1 - EDGE) * size, lo=max(0, count - 2_000), key=_start)
    head = range(min(count, max(first, EDGE_BLOCKS)))
    return [*head, *range(max(len(head), count - max(last, EDGE_BLOCKS)), count)]
