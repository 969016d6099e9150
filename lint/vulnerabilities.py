"""pip-audit over constraints.txt: known vulnerabilities of the versions that everything is tested with.

Exit code 1 when there is one. Where PyPI's service cannot be reached nothing is checked, which is said and passes.
"""

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def main() -> int:
    """Print every vulnerability with the versions that mend it."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
    done = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except json.JSONDecodeError:
        reason = done.stderr.strip().splitlines()[-1:] or ["no output"]
        print(f"nothing was checked: {reason[0]}")
        return 0
    checked = [package for package in packages if "skip_reason" not in package]
    found = [(package, one) for package in checked for one in package["vulns"]]
    for package, one in found:
        mended = ", ".join(one["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {one['id']}, mended in {mended}; raise it in constraints.txt")
    print(f"{len(checked)} of {len(packages)} packages checked, {len(found)} known vulnerabilities")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
