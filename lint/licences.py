"""Licences of everything installed beside golongrl: each must be one that lets it be used and passed on freely.

Exit code 1 names packages whose licence is another, or is not stated; check them by hand, then add them to REVIEWED.
"""

import re
import sys
from importlib.metadata import Distribution, distributions

FREE = re.compile(
    r"MIT|MIT-0|MIT-CMU|0BSD|BSD|Apache|ISC|PSF|Python Software Foundation|MPL-2\.0|Mozilla Public License 2\.0"
    r"|Zlib|Unlicense|CC0|BSL-1\.0|CNRI-Python|Public Domain|HPND"
)
REVIEWED = {
    "docutils": "public domain and BSD; its one GPL file, an Emacs mode, is not installed",
    "fastokens": "Apache-2.0, in its repository; the wheel's metadata state none",
    "golongrl": "Apache-2.0",
    "pypdfium2": "BSD-3-Clause and Apache-2.0; PDFium's own dependencies are under free licences as well",
}


def stated(package: Distribution) -> str:
    """The licence by the package's metadata: its expression, else its classifiers, else its first line."""
    data = package.metadata
    expression = data.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [c for c in data.get_all("Classifier") or [] if c.startswith("License ::")]
    named = [c.rpartition("::")[2].strip() for c in classifiers]
    first = (data.get("License") or "").strip().splitlines()[:1]
    return "; ".join(name for name in named if name != "DFSG approved") or (first[0] if first else "")


def free(licence: str) -> bool:
    """Whether every part that applies (of alternatives, one) is free; a part that is not known is not."""
    parts = re.split(r"\s+AND\s+|;|,", licence.replace("(", " ").replace(")", " "))
    return bool(licence) and all(any(FREE.search(choice) for choice in re.split(r"\s+OR\s+", part)) for part in parts)


def main() -> int:
    """Print what is not known to be free."""
    packages = {package.metadata["Name"]: stated(package) for package in distributions() if package.metadata["Name"]}
    unknown = {name: licence for name, licence in packages.items() if name not in REVIEWED and not free(licence)}
    for name, licence in sorted(unknown.items()):
        print(f"{name}: {licence or 'no licence stated'}; check it, then add it to REVIEWED in lint/licences.py")
    print(f"{len(packages)} packages, {len(unknown)} with a licence to check")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
