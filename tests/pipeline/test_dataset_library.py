"""The documents on disk: rows found again by number, neighbours drawn without looking at all of them."""

import random
from collections import Counter

import pytest

from golongrl.core import tokens
from golongrl.core.documents import DocumentBuilder
from golongrl.pipeline.dataset.encoding import Amounts, Entry, encode, kind_of, pack
from golongrl.pipeline.dataset.index import Index, write_index
from golongrl.pipeline.dataset.library import Library, drawn

NAMES = ("prose", "table")


@pytest.fixture
def stored(tmp_path):
    """Twelve documents: four tables, eight texts of which two are Chinese; every sixth is held out."""
    entries, documents = [], []
    with open(tmp_path / "shard", "wb") as handle:
        for number in range(12):
            builder = DocumentBuilder()
            if number % 3 == 0:
                builder.table(["a", "b"], [["1", str(number)]] * 9)
            else:
                builder.paragraph("床前明月光，疑是地上霜。" if number % 6 == 5 else f"Text number {number}.")
            document = builder.build(source=f"{number}.md", title=f"Line\u2028{number}", licence="CC0")
            offset, data = handle.tell(), pack(document)
            handle.write(data)
            held = number % 6 == 0
            amounts = Amounts(NAMES, (number, 70_000 * number))
            facts = (document.sha256, document.source, document.title, document.language, "CC0", kind_of(document))
            entries.append(Entry(*facts, 5, amounts, "shard", offset, len(data), held))
            documents.append(document)
    write_index(tmp_path, entries)
    return tmp_path, entries, documents


def test_the_index_gives_every_entry_back(stored):
    folder, entries, _ = stored
    index = Index(folder)
    assert list(index) == entries
    assert index[3:5] == entries[3:5]
    assert index[11].amounts["table"] == 770_000
    with pytest.raises(KeyError):
        index[0].amounts["chapters"]


def test_an_index_of_nothing_is_empty(tmp_path):
    write_index(tmp_path, [])
    assert list(Index(tmp_path)) == []


def test_a_library_reads_documents_by_number_from_a_list_and_from_the_index(stored):
    folder, entries, documents = stored
    for library in (Library(folder, entries, tokens.ApproxTokenizer()), open_index(folder)):
        assert [library.document(number) for number in (7, 0, 5)] == [documents[n] for n in (7, 0, 5)]
        assert library.row(3) == encode(documents[3])
        assert {group: list(numbers) for group, numbers in library.groups.items()} == {
            ("en", "prose", False): [1, 2, 4, 7, 8, 10],
            ("en", "table", False): [3, 9],
            ("en", "table", True): [0, 6],
            ("zh", "prose", False): [5, 11],
        }


def open_index(folder):
    return Library(folder, Index(folder), tokens.ApproxTokenizer())


def sources(library, number, held_out, seed=0):
    return [
        int(one.document.source.removesuffix(".md"))
        for one in library.neighbours(number, held_out, random.Random(seed))
    ]


def test_neighbours_are_all_others_of_the_language_those_of_the_same_kind_first(stored):
    folder, entries, _ = stored
    library = open_index(folder)
    found = sources(library, 3, held_out=True)
    assert set(found[:3]) == {0, 6, 9}
    assert sorted(found[3:]) == [1, 2, 4, 7, 8, 10]
    assert sources(Library(folder, entries, tokens.ApproxTokenizer()), 3, held_out=True) == found
    assert sources(library, 5, held_out=True) == [11]


def test_training_questions_never_stand_beside_a_validation_document(stored):
    library = open_index(stored[0])
    for seed in range(20):
        assert not {0, 6} & set(sources(library, 1, held_out=False, seed=seed))


def test_numbers_are_drawn_once_each_and_evenly():
    pools = [range(3), range(10, 12)]
    firsts = Counter()
    for seed in range(2_000):
        found = list(drawn(pools, random.Random(seed)))
        assert sorted(found) == [0, 1, 2, 10, 11]
        firsts[found[0]] += 1
        firsts[found[2]] += 1
    # 800 each; four standard deviations are about 100.
    assert all(700 < count < 900 for count in firsts.values())
    assert list(drawn([], random.Random(0))) == []
