import csv
import importlib.metadata
import tomllib

import pytest

from golongrl.pipeline.demo import sources


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("with a space") / "documents"
    return folder, sources.write_documents(folder)


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.reader(handle))


def test_documents_of_all_kinds_are_written(documents):
    folder, files = documents
    assert files == sorted(p for p in folder.rglob("*") if p.is_file())
    kinds = {p.suffix for p in files}
    assert {".rst", ".md", ".csv", ".toml"} <= kinds
    assert len([p for p in files if p.parent.name == "python-reference"]) >= 70
    assert len([p for p in files if p.parent.name == "dataset-descriptions"]) >= 10
    assert 20 <= len([p for p in files if p.parent.name == "packages"]) <= sources.MAX_PACKAGES
    assert all(p.read_text(encoding="utf-8").strip() for p in files)
    assert not any("golongrl" in p.name for p in files)


def test_the_same_packages_give_the_same_bytes(documents, tmp_path):
    folder, files = documents
    again = sources.write_documents(tmp_path / "documents")
    assert [p.relative_to(folder) for p in files] == [p.relative_to(tmp_path / "documents") for p in again]
    assert [p.read_bytes() for p in files] == [p.read_bytes() for p in again]
    assert sources.sources_key() == sources.sources_key()


def test_tables_have_proper_headers_and_named_classes(documents):
    folder, _ = documents
    iris = read_csv(folder / "dataset-tables/iris.csv")
    assert iris[0] == ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)", "species"]
    assert iris[1] == ["5.1", "3.5", "1.4", "0.2", "setosa"]
    assert len(iris) == 1 + 150
    wine = read_csv(folder / "dataset-tables/wine.csv")
    assert len(wine) == 1 + 178
    assert len(wine[0]) == 14
    diabetes = read_csv(folder / "dataset-tables/diabetes.csv")
    assert diabetes[1][:4] == ["59", "2", "32.1", "101"]  # raw units: age, sex, body mass index, blood pressure
    assert all(len(row) == len(diabetes[0]) for row in diabetes)


def test_every_document_has_a_licence(documents):
    folder, files = documents
    licences = tomllib.loads((folder / sources.LICENCES_FILE).read_text(encoding="utf-8"))
    assert licences["python-reference/*"] == "PSF-2.0"
    assert licences["dataset-tables/*"] == "BSD-3-Clause"
    for file in files:
        name = file.relative_to(folder).as_posix()
        if name != sources.LICENCES_FILE:
            assert licences.get(name) or licences[f"{name.partition('/')[0]}/*"]


def test_licence_prefers_the_expression_then_an_exact_field_then_classifiers(tmp_path):
    def licence(*headers):
        folder = tmp_path / f"p{len(list(tmp_path.iterdir()))}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", "Name: p", "Version: 1.0", *headers]))
        return sources.package_licence(importlib.metadata.PathDistribution(folder))

    osi = "Classifier: License :: OSI Approved"
    assert licence("License-Expression: MIT OR Apache-2.0", "License: BSD") == "MIT OR Apache-2.0"
    assert licence("License: BSD-3-Clause", f"{osi} :: BSD License") == "BSD-3-Clause"
    assert licence("License: BSD", f"{osi} :: MIT License", f"{osi} :: BSD License") == "BSD, MIT"
    assert licence("License: Apache 2.0") == "Apache 2.0"
    assert licence("License: UNKNOWN") is None
    assert licence() is None


def test_dependencies_follow_requirements_and_leave_the_root_out():
    found = sources.dependencies()
    assert {"scikit-learn", "numpy", "rich", "scipy"} <= set(found)  # scipy only through scikit-learn
    assert "golongrl" not in found
