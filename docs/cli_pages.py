"""Writes docs/cli/: one page per subcommand, from the command line's own help. `make docs` runs it."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent / "cli"


def pages() -> dict[str, str]:
    """File name -> Markdown: index.md for `golongrl` itself, then a page per subcommand."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "cli.md"
        command = [sys.executable, "-m", "typer", "golongrl.cli.app", "utils", "docs", "--name", "golongrl"]
        subprocess.run([*command, "--output", str(whole)], check=True, capture_output=True)
        text = whole.read_text(encoding="utf-8")
    first, *parts = re.split(r"(?m)^## `golongrl ([\w-]+)`\n", text)
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    head, _, commands = first.partition("**Commands**:")
    lines = [_line(name, found) for name in re.findall(r"(?m)^\* `([\w-]+)`: ", commands)]
    return {"index.md": f"{head}**Commands**:\n\n" + "\n".join(lines) + "\n"} | {
        f"{name}.md": f"# golongrl {name}\n{body.rstrip()}\n" for name, body in found.items()
    }


def _line(name: str, found: dict[str, str]) -> str:
    """The first sentence of a command's help, with a link: Typer's own list cuts it off."""
    paragraph = found[name].strip().split("\n\n")[0].replace("\n", " ")
    return f"* [`{name}`]({name}.md): {paragraph}"


def main() -> None:
    """Write the pages, and remove those of commands that are gone."""
    FOLDER.mkdir(exist_ok=True)
    wanted = pages()
    for file in FOLDER.glob("*.md"):
        if file.name not in wanted:
            file.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
