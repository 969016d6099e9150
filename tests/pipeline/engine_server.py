"""An interpreter that says it has vLLM: it starts the test server with vLLM's own options, and notes the command.

What it takes from the command is what a real engine takes: address, name of the model, length.
"""

import argparse
import json
import os
import stat
import sys
from pathlib import Path

# As a script it finds the modules of its own folder only.
sys.path.append(str(Path(__file__).parents[1]))

import chat_server

VERSION = "0.32.0"


def interpreter(folder, *, version=VERSION, told=None):
    """Make it: the path of an executable. `told` is the length that /v1/models reports instead of the right one."""
    info = folder / "site" / f"vllm-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\nif [ "$1" = -c ]; then PYTHONPATH="{folder / "site"}" exec "{sys.executable}" "$@"; fi\n'
        f'exec "{sys.executable}" "{__file__}" "{folder}" {told or 0} "$@"\n'
    )
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return python


def commands(folder):
    """The options of each start, in order."""
    return [json.loads(line) for line in (folder / "started.jsonl").read_text().splitlines()]


def requests(folder):
    """For each request the number of the start that answered it, and the characters of its prompt."""
    return [tuple(json.loads(line)) for line in (folder / "requests.jsonl").read_text().splitlines()]


class Handler(chat_server.Handler):
    def do_GET(self):
        if self.path == "/v1/models":
            self.reply(200, chat_server.model_list([self.server.name], self.server.length))
        else:
            super().do_GET()

    def completion(self, body):
        size = sum(len(message["content"]) for message in body["messages"])
        with open(self.server.folder / "requests.jsonl", "a") as out:
            out.write(json.dumps([self.server.start, size]) + "\n")
        return super().completion(body)


def main():
    folder, told = Path(sys.argv[1]), int(sys.argv[2])
    parser = argparse.ArgumentParser()
    for option in ("-m", "--model", "--served-model-name", "--host", "--hf-overrides"):
        parser.add_argument(option)
    parser.add_argument("--port", type=int)
    parser.add_argument("--max-model-len", type=int)
    parser.add_argument("--delay", default=0)
    options = parser.parse_args(sys.argv[3:])
    start = {"pid": os.getpid(), "model": options.model}
    start |= {"length": options.max_model_len, "yarn": options.hf_overrides}
    with open(folder / "started.jsonl", "a") as out:
        out.write(json.dumps(start) + "\n")
    chat_server.serve(
        options.port,
        Handler,
        chat_server.parse(["--delay", str(options.delay)]),
        folder=folder,
        start=len(commands(folder)),
        name=options.served_model_name,
        length=told or options.max_model_len,
    )


if __name__ == "__main__":
    main()
