"""Tokens and private keys in files that git tracks. Exit code 1 names file and kind, never the secret."""

import subprocess
import sys
from pathlib import Path

from golongrl.pipeline.publishing.secrets import secrets_in

ROOT = Path(__file__).parents[1]
MADE_UP = {"tests"}
"""Folders whose secrets are made up: the tests of this very search."""


def main() -> int:
    """Print every finding."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [name for name in listed.split("\0") if name and name.partition("/")[0] not in MADE_UP]
    found = 0
    for name in files:
        path = ROOT / name
        if not path.is_file():
            continue
        for kind in secrets_in(path.read_text(encoding="utf-8", errors="replace"), {}):
            found += 1
            print(f"{name}: holds what looks like a {kind}; take it out, and revoke it if it is real")
    print(f"{len(files)} files, {found} secrets")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
