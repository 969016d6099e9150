"""The error tree. Every message says what happened, where, and what to do next.

Each class is also a standard-library type, so callers who do not know golongrl can still catch it, and each
carries the exit code the command line ends with: 1 a check failed, 2 the call or its input is wrong,
3 the environment lacks something (a package, a server, disk space).
"""


class GolongrlError(Exception):
    """Base of every error golongrl raises on purpose."""

    exit_code = 1


class CheckFailedError(GolongrlError, RuntimeError):
    """A gate, an audit or a run did not come out complete."""


class UsageError(GolongrlError, ValueError):
    """The command cannot be run as it was called."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file or `--set` names an unknown key or an impossible value."""


class DataError(UsageError):
    """A file or a row cannot be read as what it claims to be; the message names file, row and field."""


class RunConflictError(UsageError):
    """The output folder already holds a run with a different configuration."""


class MissingPackageError(GolongrlError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""

    exit_code = 3


class ServerError(GolongrlError, ConnectionError):
    """A model server did not start, died, or refuses requests."""

    exit_code = 3


class WorkerError(GolongrlError, ChildProcessError):
    """A worker process of ours cannot start."""

    exit_code = 3


class StorageError(GolongrlError, OSError):
    """A file could not be written (disk full, quota, read-only folder)."""

    exit_code = 3


def require(module: str, extra: str | None = None):
    """Import an optional package by name, or raise MissingPackageError naming the extra that brings it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and not module.startswith(error.name):
            raise
        target = f"golongrl[{extra}]" if extra else "golongrl"
        raise MissingPackageError(
            f"the package {module!r} is needed here and not installed; run: pip install '{target}'"
        ) from error
