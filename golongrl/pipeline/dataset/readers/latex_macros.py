"""What LaTeX macros and environments become in plain text."""

import unicodedata

SECTIONS = {
    "part": 0,
    "chapter": 1,
    "section": 2,
    "subsection": 3,
    "subsubsection": 4,
    "paragraph": 5,
    "subparagraph": 6,
}
"""Rank of each sectioning macro."""

_MATH_NAMES = """
equation align alignat flalign gather multline eqnarray displaymath math dmath narrowmultline xalignat
"""
MATH = frozenset(name + star for name in _MATH_NAMES.split() for star in ("", "*"))
VERBATIM = ("verbatim", "verbatim*", "Verbatim", "BVerbatim", "lstlisting", "minted", "alltt", "code")
DROPPED = frozenset({"tikzpicture", "pspicture", "picture", "comment", "filecontents", "filecontents*", "tikzcd"})
"""Environments that hold no text."""
_LIST_NAMES = """
itemize enumerate description compactitem compactenum inparaenum list thebibliography
"""
LISTS = frozenset(_LIST_NAMES.split())
TABLES = {
    "tabular": 0,
    "tabular*": 1,
    "tabularx": 1,
    "tabulary": 1,
    "longtable": 0,
    "supertabular": 0,
    "xltabular": 1,
}
"""Table environments, and how many arguments stand before the columns."""

ARGUMENTS = {
    "multicols": 1,
    "minipage": 1,
    "adjustbox": 1,
    "subfigure": 1,
    "subtable": 1,
    "wrapfigure": 2,
    "wraptable": 2,
}
"""Environments of text that begin with so many arguments which are none."""

THEOREMS = {
    "abstract": "",
    "thm": "Theorem",
    "theorem": "Theorem",
    "lem": "Lemma",
    "lemma": "Lemma",
    "cor": "Corollary",
    "corollary": "Corollary",
    "prop": "Proposition",
    "proposition": "Proposition",
    "defn": "Definition",
    "definition": "Definition",
    "conj": "Conjecture",
    "conjecture": "Conjecture",
    "claim": "Claim",
    "fact": "Fact",
    "axiom": "Axiom",
    "eg": "Example",
    "example": "Example",
    "ex": "Exercise",
    "exercise": "Exercise",
    "rmk": "Remark",
    "rem": "Remark",
    "remark": "Remark",
    "proof": "Proof",
}
"""Names of theorem-like environments; those that a document declares come on top."""

NO_TEXT = {
    "label": 1,
    "index": 1,
    "glossary": 1,
    "input": 1,
    "include": 1,
    "subfile": 1,
    "bibliography": 1,
    "bibliographystyle": 1,
    "includegraphics": 1,
    "vspace": 1,
    "hspace": 1,
    "pagestyle": 1,
    "thispagestyle": 1,
    "pagenumbering": 1,
    "usepackage": 1,
    "documentclass": 1,
    "setlength": 2,
    "addtolength": 2,
    "setcounter": 2,
    "addtocounter": 2,
    "newtheorem": 2,
    "theoremstyle": 1,
    "hypersetup": 1,
    "graphicspath": 1,
    "newcommand": 2,
    "renewcommand": 2,
    "providecommand": 2,
    "DeclareMathOperator": 2,
    "newenvironment": 3,
    "renewenvironment": 3,
    "definecolor": 3,
    "color": 1,
    "phantom": 1,
    "hphantom": 1,
    "vphantom": 1,
    "cline": 1,
    "cmidrule": 1,
    "addlinespace": 0,
    "rule": 2,
    "addcontentsline": 3,
    "markboth": 2,
    "markright": 1,
    "nocite": 1,
    "symlabel": 1,
    "thanks": 1,
    "linewidth": 0,
    "date": 1,
    "bibitem": 1,
    "fontsize": 2,
    "raisebox": 1,
    "makebox": 0,
    "parbox": 1,
    "multirow": 2,
    "textcolor": 1,
    "colorbox": 1,
    "href": 1,
    "scalebox": 1,
    "resizebox": 2,
}
"""Macros left out together with so many arguments; what stands behind those is text again (`\\href{url}{text}`)."""

_DECLARATION_NAMES = """
em bf it rm sf tt sc sl bfseries itshape rmfamily sffamily ttfamily scshape slshape upshape mdseries normalfont
tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge centering raggedright raggedleft
noindent indent smallskip medskip bigskip clearpage cleardoublepage newpage pagebreak linebreak newline maketitle
tableofcontents listoffigures listoftables appendix frontmatter mainmatter backmatter hfill hfil vfill hline
toprule midrule bottomrule protect relax nobreak allowbreak sloppy fussy leavevmode null selectfont
displaystyle textstyle scriptstyle qed qedhere endinput makeatletter makeatother printindex
printbibliography qquad quad enspace thinspace break goodbreak par strut balance onecolumn twocolumn
"""
DECLARATIONS = frozenset(_DECLARATION_NAMES.split())
"""Macros without text and without arguments."""

_REFERENCE_NAMES = """
ref eqref pageref autoref cref Cref vref nameref fullref crefrange cite citep citet citealt citealp citeauthor
citeyear parencite textcite footcite autocite Cite Citet Citep
"""
REFERENCES = frozenset(_REFERENCE_NAMES.split())
"""Macros whose argument names a place or a source; it is shown in brackets."""

SYMBOLS = {
    "ldots": "…",
    "dots": "…",
    "textellipsis": "…",
    "LaTeX": "LaTeX",
    "LaTeXe": "LaTeX2e",
    "TeX": "TeX",
    "BibTeX": "BibTeX",
    "ss": "ß",
    "ae": "æ",
    "AE": "Æ",
    "oe": "œ",
    "OE": "Œ",
    "o": "ø",
    "O": "Ø",
    "l": "ł",
    "L": "Ł",
    "aa": "å",
    "AA": "Å",
    "i": "ı",
    "j": "ȷ",
    "dh": "ð",
    "th": "þ",
    "S": "§",
    "P": "¶",
    "dag": "†",
    "ddag": "‡",
    "copyright": "©",
    "textcopyright": "©",
    "textregistered": "®",
    "texttrademark": "™",
    "pounds": "£",
    "euro": "€",
    "texteuro": "€",
    "textdegree": "°",
    "textbullet": "•",
    "textendash": "–",
    "textemdash": "—",
    "textbackslash": "\\",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textunderscore": "_",
    "textbar": "|",
    "textless": "<",
    "textgreater": ">",
    "lbrace": "{",
    "rbrace": "}",
    "textquoteleft": "‘",
    "textquoteright": "’",
    "textquotedblleft": "“",
    "textquotedblright": "”",
    "guillemotleft": "«",
    "guillemotright": "»",
    "slash": "/",
    "today": "",
    "space": " ",
    "and": ",",
}

DINGS = {"51": "✓", "52": "✓", "55": "✗", "56": "✗", "108": "•", "110": "■"}
"""Characters of the font of the macro `ding`, by number."""

LENGTHS = frozenset({"kern", "mkern", "hskip", "vskip", "mskip", "hbox", "vbox", "vtop", "penalty"})
"""Macros with a length or a number behind them without braces."""

ACCENTS = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    '"': "\u0308",
    "=": "\u0304",
    ".": "\u0307",
    "c": "\u0327",
    "v": "\u030c",
    "H": "\u030b",
    "u": "\u0306",
    "r": "\u030a",
    "k": "\u0328",
    "d": "\u0323",
    "b": "\u0331",
}
"""Accent macros and the combining character of each."""

CHARACTERS = {
    "\\": " ",
    ",": " ",
    ";": " ",
    ":": " ",
    " ": " ",
    "\n": " ",
    "!": "",
    "@": "",
    "/": "",
    "-": "",
    "*": "",
}
"""Macros of one character that is no letter; others stand for that character."""


def accented(accent: str, letter: str) -> str:
    """A letter with an accent."""
    base = {"ı": "i", "ȷ": "j"}.get(letter, letter)
    return unicodedata.normalize("NFC", base[:1] + ACCENTS[accent] + base[1:])
