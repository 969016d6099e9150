"""The LaTeX reader."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.pipeline.dataset.readers import Origin, latex

ORIGIN = Origin("a.tex", "a", ".tex", "CC0")


def read(text):
    return next(latex.read(text, ORIGIN))


def kinds(text):
    document = read(text)
    return [(b.kind, document.slice(b.content)) for b in document.blocks if b.kind != "table"]


def said(text):
    return [content for _, content in kinds(text)]


def test_a_paper():
    document = read(
        r"""
\documentclass{article}
\usepackage{amsthm} % gone
\newtheorem{satz}{Satz}
\title{On \emph{Rivers}\thanks{To the county.}}
\author{Ann Lee \and Bo Ek}
\begin{document}
\maketitle
\begin{abstract} We study
rivers. \end{abstract}
\section{Sources} \label{sec:a}
The spring % a comment
is small.

% a whole line
See Section~\ref{sec:a} and \cite[p.~3]{knuth84}.
\subsection*{Rain}
\begin{itemize}
  \item boats
  \item[(b)] nets, which

  dry.
\end{itemize}
\begin{satz}[Ek] Water flows. \end{satz}
\end{document} trailing
"""
    )
    assert document.title == "On Rivers"
    assert [(b.kind, b.level, document.slice(b.content)) for b in document.blocks] == [
        ("heading", 1, "On Rivers"),
        ("paragraph", 0, "Ann Lee, Bo Ek"),
        ("heading", 2, "Abstract"),
        ("paragraph", 0, "We study rivers."),
        ("heading", 2, "Sources"),
        ("paragraph", 0, "The spring is small."),
        ("paragraph", 0, "See Section [sec:a] and [knuth84]."),
        ("heading", 3, "Rain"),
        ("item", 0, "boats"),
        ("item", 0, "(b): nets, which"),
        ("paragraph", 0, "dry."),
        ("paragraph", 0, "Satz (Ek). Water flows."),
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"caf\'e na\"{\i}ve \c{c}a \v Skoda Erd\H{o}s \ss", "café naïve ça Škoda Erdős ß"),
        (r"``so'' --- he said -- 5\,\% of \$3 \& more", "“so” — he said – 5 % of $3 & more"),
        (r"{\bf bold} and \textbf{nested \emph{words}} \LaTeX{} here", "bold and nested words LaTeX here"),
        (r"\href{https://x.org}{a link} \url{https://y.org}", "a link https://y.org"),
        (r"\textcolor{red}{warm} \hspace{2cm} \index{x!y}\indexdef{z}tail", "warm tail"),
        (r"where $a_1 < \alpha$ holds", r"where $a_1 < \alpha$ holds"),
        (r"so \[ x = y \label{e} \] holds", "so $$ x = y $$ holds"),
        (r"\verb|a % b| stays", "a % b stays"),
        (r"100\% sure % gone", "100% sure"),
        (r"the ring \Q and \foo[x]{its} ideals", r"the ring \Q and its ideals"),
        (r"\newcommand{\eg}{for example}\eg{} rain \def\R{\mathbb{R}}", "for example rain"),
        (r"\texorpdfstring{$x$}{x}-axis", "$x$-axis"),
        (r"line\\[2pt] break~here", "line break here"),
    ],
)
def test_inline_text(source, text):
    assert said(source) == [text]


def test_displays_and_footnotes_stay_in_their_sentence():
    assert said("so\n\\begin{align}\n a &= b\n\\end{align}\nholds") == [
        r"so $$ \begin{align} a &= b \end{align} $$ holds"
    ]
    assert said(r"one\footnote{Or \emph{two}.} more") == ["one [1] more", "[1] Or two."]


def test_verbatim_text_keeps_its_lines_and_percent_signs():
    assert kinds("Run\n\\begin{lstlisting}[language=C]\n  x = 1; % keep\n\ny\n\\end{lstlisting}\nnow.") == [
        ("paragraph", "Run"),
        ("code", "  x = 1; % keep\n\ny"),
        ("paragraph", "now."),
    ]


def test_tables():
    document = read(
        r"""\begin{table}\caption{Boats by port}
\begin{tabular}{l|rr} \toprule
Port & Boats & Crew \\ \midrule
Ald \& Co & 12 & \textbf{40} \\[2pt]
Brack & $7$ & 21 \\ \bottomrule
\end{tabular}\end{table}"""
    )
    assert document.slice(document.blocks[0].content) == "Boats by port"
    table = document.blocks[1].table
    assert table.columns == ("Port", "Boats", "Crew")
    assert [row.cells for row in table.rows] == [("Ald & Co", "12", "40"), ("Brack", "$7$", "21")]
    assert table.regular


def test_the_only_chapter_of_a_file_is_its_title():
    document = read("\\chapter{Real numbers}\nText.\n\\section{Cuts}\nMore.\n\\section{Limits}\nEnd.")
    assert document.title == "Real numbers"
    assert [b.level for b in document.blocks if b.kind == "heading"] == [1, 3, 3]


def test_pictures_go_and_other_files_are_not_read(tmp_path):
    (tmp_path / "secret.tex").write_text("the secret")
    text = f"\\input{{{tmp_path}/secret}}\\include{{secret}}A\\begin{{tikzpicture}}\\draw;\\end{{tikzpicture}} river."
    assert said(text) == ["A", "river."] or said(text) == ["A river."]


@pytest.mark.parametrize(
    "source",
    [
        "\\begin{verbatim}" * 20_000,
        "\\begin{equation}" * 20_000,
        "{" * 200_000,
        "\\def\\a{" * 20_000,
        "\\footnote{" * 5_000,
        "$" * 100_001,
        "%\n" * 100_000,
        "\\begin{tabular}{l}" + "a&b\\\\\n" * 10_000 + "\\end{tabular}",
    ],
    ids=lambda source: source[:12],
)
def test_odd_sources_take_no_quadratic_time(source):
    start = time.process_time()
    read(source)
    assert time.process_time() - start < 5


PIECES = [
    "\\begin{itemize}",
    "\\end{itemize}",
    "\\item",
    "{",
    "}",
    "$",
    "\\[",
    "\\]",
    "%",
    "\n\n",
    "word ",
    "\\\\",
    "&",
]
PIECES += ["\\footnote{", "\\section{", "\\begin{tabular}{ll}", "\\end{tabular}", "\\verb|", "\\'", "\\c", "\\", "\0"]


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_source_is_read_with_sound_spans(pieces):
    document = read("".join(pieces))
    for block in document.blocks:
        assert block.span.start <= block.content.start <= block.content.end <= block.span.end <= len(document.text)


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=12))
def test_plain_words_are_kept(words):
    assert said("\n\n".join(" ".join(words) for _ in range(2))) == [" ".join(words)] * 2


def test_arguments_of_environments_are_no_text():
    text = r"\begin{multicols}{2}one\end{multicols}\begin{wrapfigure}{r}{0.5\textwidth}two\end{wrapfigure}"
    assert said(text) == ["one", "two"]


def test_definitions_that_use_each_other_do_not_multiply_without_end(monkeypatch):
    monkeypatch.setattr(latex, "MAX_EXPANDED", 5_000)
    macros = r"\def\qa{" + r"\qb " * 15 + r"}\def\qb{" + r"\qc " * 15 + r"}\def\qc{" + "w " * 38 + "}"
    document = read(macros + r"\begin{document}" + r"\qa " * 300 + "the end")
    assert document.text.endswith("the end")
    assert len(document.text) < 20_000
