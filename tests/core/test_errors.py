import pickle

import pytest

from golongrl.core import errors
from golongrl.core.errors import GolongrlError, MissingPackageError, require

CLASSES = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, GolongrlError)]


@pytest.mark.parametrize(
    ("name", "base", "exit_code"),
    [
        ("CheckFailedError", RuntimeError, 1),
        ("UsageError", ValueError, 2),
        ("ConfigError", ValueError, 2),
        ("DataError", ValueError, 2),
        ("RunConflictError", ValueError, 2),
        ("MissingPackageError", ImportError, 3),
        ("ServerError", ConnectionError, 3),
        ("StorageError", OSError, 3),
    ],
)
def test_each_error_is_a_standard_type_with_its_exit_code(name, base, exit_code):
    found = getattr(errors, name)
    assert issubclass(found, base)
    assert issubclass(found, GolongrlError)
    assert found.exit_code == exit_code


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_travels_between_processes(kind):
    again = pickle.loads(pickle.dumps(kind("what, where, what next")))
    assert type(again) is kind
    assert str(again) == "what, where, what next"
    assert kind.__doc__


def test_require_gives_the_module():
    import json.decoder

    assert require("json.decoder") is json.decoder


@pytest.mark.parametrize(
    ("module", "extra", "command"),
    [
        ("golongrl_absent", "train", "pip install 'golongrl[train]'"),
        ("golongrl_absent.inner", None, "pip install 'golongrl'"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(module, extra, command):
    with pytest.raises(MissingPackageError) as caught:
        require(module, extra)
    assert f"the package {module!r} is needed here and not installed; run: {command}" in str(caught.value)


def test_a_package_that_is_there_but_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "golongrl_broken.py").write_text("import golongrl_absent_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="golongrl_absent_dependency") as caught:
        require("golongrl_broken", "train")
    assert not isinstance(caught.value, MissingPackageError)
