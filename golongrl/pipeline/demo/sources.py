"""Real documents that every installation carries, with their licences: what the demo trains on.

Python's language reference (pydoc_data.topics), scikit-learn's dataset descriptions and tables, and the long
descriptions of the packages golongrl depends on.
"""

import csv
import importlib.metadata
import importlib.resources
import io
import json
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from golongrl.core.store import content_key, write_text

LICENCES_FILE = "licences.toml"
MAX_PACKAGES = 100
MIN_CHARS, MAX_CHARS = 1_500, 60_000
EXTENSIONS = {"text/markdown": ".md", "text/x-rst": ".rst", "text/plain": ".txt"}

# loader in sklearn.datasets: column name of its target (None: the targets carry their own names)
TABLES = {
    "load_iris": "species",
    "load_wine": "cultivar",
    "load_breast_cancer": "diagnosis",
    "load_diabetes": "progression",
    "load_linnerud": None,
}

# Trove classifiers by their last part; "BSD License" does not say which one.
CLASSIFIER_LICENCES = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "GNU General Public License (GPL)": "GPL",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
NOT_A_LICENCE = ("OSI Approved", "DFSG approved")


def write_documents(folder: str | os.PathLike[str]) -> list[Path]:
    """Write the documents as .rst, .md, .txt and .csv files and `licences.toml`; returns every file written, sorted.

    Deterministic for one set of installed packages (see `sources_key`); about 200 files and 1.5 MB.
    """
    root = Path(folder)
    texts: dict[str, str] = {}
    licences: dict[str, str] = {}
    for group in (language_reference(), dataset_descriptions(), dataset_tables(), package_descriptions()):
        for name, text, licence in group:
            texts[name] = text
            licences[name] = licence
    for name, text in texts.items():
        write_text(root / name, text)
    write_text(root / LICENCES_FILE, _licences_toml(licences))
    return sorted(root / name for name in [*texts, LICENCES_FILE])


def sources_key() -> str:
    """A key of everything the documents are made from: Python's and the packages' versions and the bounds above."""
    versions = [[name, package.version] for name, package in sorted(dependencies().items())]
    return content_key(platform.python_version(), versions, MAX_PACKAGES, MIN_CHARS, MAX_CHARS, sorted(TABLES))


def language_reference() -> Iterator[tuple[str, str, str]]:
    """(file name, text, licence) of every topic of Python's language reference."""
    from pydoc_data.topics import topics

    for topic, text in sorted(topics.items()):
        yield f"python-reference/{_file_name(topic)}.rst", _clean(text), "PSF-2.0"


def dataset_descriptions() -> Iterator[tuple[str, str, str]]:
    """(file name, text, licence) of scikit-learn's dataset descriptions."""
    files = importlib.resources.files("sklearn.datasets.descr").iterdir()
    for file in sorted(files, key=lambda file: file.name):
        if file.name.endswith(".rst"):
            yield f"dataset-descriptions/{file.name}", _clean(file.read_text(encoding="utf-8")), "BSD-3-Clause"


def dataset_tables() -> Iterator[tuple[str, str, str]]:
    """(file name, text, licence) of scikit-learn's small tables, with proper header rows and class names."""
    import sklearn.datasets

    for loader, target in TABLES.items():
        # Diabetes ships scaled to unit norm by default; the raw units are the ones its description explains.
        options = {"scaled": False} if loader == "load_diabetes" else {}
        table = getattr(sklearn.datasets, loader)(**options)
        name = loader.removeprefix("load_")
        yield f"dataset-tables/{name}.csv", _csv_text(table, target), "BSD-3-Clause"


def package_descriptions() -> Iterator[tuple[str, str, str]]:
    """(file name, text, licence) of installed dependencies that state a licence and a long description."""
    taken = 0
    for name, package in sorted(dependencies().items()):
        licence = package_licence(package)
        kind = (package.metadata.get("Description-Content-Type") or "").partition(";")[0].strip().lower()
        text = _clean(str(package.metadata.json.get("description") or ""))
        if licence is None or kind not in EXTENSIONS or not MIN_CHARS <= len(text) <= MAX_CHARS:
            continue
        yield f"packages/{_file_name(name)}{EXTENSIONS[kind]}", text, licence
        taken += 1
        if taken == MAX_PACKAGES:
            return


def dependencies(root: str = "golongrl") -> dict[str, importlib.metadata.Distribution]:
    """Installed packages that `root` needs, directly or not, by normalised name; `root` itself is left out.

    Requirements that only an extra brings count for `root` alone: they are what its own features run on.
    """
    found: dict[str, importlib.metadata.Distribution] = {}
    seen, queue = {root}, _requirements(importlib.metadata.distribution(root), with_extras=True)
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        queue += _requirements(found[name], with_extras=False)
    return found


def package_licence(package: importlib.metadata.Distribution) -> str | None:
    """The licence a package states, or None: its SPDX expression, else its licence field, else its classifiers.

    A field without a version ("BSD", a whole licence text) says less than a classifier and comes last.
    """
    expression = package.metadata.get("License-Expression")
    if expression:
        return expression
    field = (package.metadata.get("License") or "").strip()
    if re.fullmatch(r"MIT|ISC|(?:[A-Za-z]+-)+[0-9.]+(?:-[A-Za-z]+)?(?: (?:AND|OR) [A-Za-z0-9.-]+)*", field):
        return field
    names = [c.rpartition("::")[2].strip() for c in package.metadata.get_all("Classifier") or [] if "License ::" in c]
    named = sorted({CLASSIFIER_LICENCES.get(name, name) for name in names if name not in NOT_A_LICENCE})
    if named:
        return ", ".join(named)
    short = field and "\n" not in field and len(field) <= 60 and field.lower() != "unknown"
    return field if short else None


def _requirements(package: importlib.metadata.Distribution, with_extras: bool) -> list[str]:
    names = []
    for requirement in package.requires or []:
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
        if name and (with_extras or not re.search(r"\bextra\s*==", requirement)):
            names.append(re.sub(r"[-_.]+", "-", name.group()).lower())
    return names


def _csv_text(table: Any, target: str | None) -> str:
    names = [str(name) for name in table.feature_names]
    if target is None:
        names += [str(name) for name in table.target_names]
        rows = [[*map(_number, x), *map(_number, y)] for x, y in zip(table.data, table.target, strict=True)]
    else:
        names.append(target)
        classes = table.get("target_names")
        rows = [
            [*map(_number, x), str(classes[y]) if classes is not None else _number(y)]
            for x, y in zip(table.data, table.target, strict=True)
        ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()


def _number(value: Any) -> str:
    return f"{float(value):.10g}"


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip() + "\n"


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def _licences_toml(licences: dict[str, str]) -> str:
    """One line per folder whose files share a licence, else one per file; JSON strings are valid TOML strings."""
    folders: dict[str, set[str]] = {}
    for name, licence in licences.items():
        folders.setdefault(name.partition("/")[0], set()).add(licence)
    lines = ["# File or pattern = licence, as its source states it."]
    for folder, named in sorted(folders.items()):
        if len(named) == 1:
            lines.append(f"{json.dumps(folder + '/*')} = {json.dumps(named.pop())}")
            continue
        for name in sorted(n for n in licences if n.startswith(folder + "/")):
            lines.append(f"{json.dumps(name)} = {json.dumps(licences[name])}")
    return "\n".join(lines) + "\n"
