"""A small OpenAI-compatible server for tests, run as a process of its own: deterministic answers, faults on request.

It answers with the random prefix of an MRCR question and the first assistant message of the conversation, or with
"echo: ..." and the last message. `GET /stats` tells what it saw. Other servers for tests build on its parts.
"""

import argparse
import contextlib
import functools
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STATS = {"requests": 0, "peak": 0, "seeds": [], "tokens_peak": 0, "keys": []}
ATTEMPTS: Counter = Counter()
LOCK = threading.Lock()
NOW = {"requests": 0, "tokens": 0}


def answer(messages):
    last = messages[-1]["content"]
    prefix = re.match(r"Prepend (\S+) to", last)
    replies = [message["content"] for message in messages if message["role"] == "assistant"]
    if prefix and replies:
        return prefix[1] + replies[0]
    return f"echo: {last}"


class JsonHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def serve(port, handler, options, **parts):
    """Print the port and answer without end; handlers find the options and parts in `self.server`."""
    server = Server(("127.0.0.1", port), handler)
    vars(server).update(options=options, **parts)
    print(f"port {server.server_address[1]}", flush=True)
    server.serve_forever()


def model_list(names, length):
    """The body of `/v1/models`; a length of 0 is not told."""
    told = {"object": "model", "created": 0, "owned_by": "tests", **({"max_model_len": length} if length else {})}
    return {"object": "list", "data": [{"id": name, **told} for name in names]}


def completion(model, text, prompt_tokens, completion_tokens, **message):
    """The body of an answer; `message` holds further fields of its message."""
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    message = {"role": "assistant", "content": text, **message}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }


class Handler(JsonHandler):
    def do_GET(self):
        if self.path == "/health":
            self.reply(200, {"status": "ok"})
        elif self.path == "/stats":
            with LOCK:
                self.reply(200, STATS)
        elif self.path == "/v1/models":
            self.reply(200, model_list(["echo"], self.server.options.model_len))
        else:
            self.reply(404, {"error": {"message": "no such path"}})

    def do_POST(self):
        options = self.server.options
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        content = json.dumps(body["messages"])
        cost = len(content) // 4 + body["max_tokens"]
        with LOCK:
            STATS["requests"] += 1
            STATS["seeds"].append(body.get("seed"))
            STATS["keys"].append(self.headers.get("Authorization", ""))
            NOW["requests"] += 1
            NOW["tokens"] += cost
            STATS["peak"] = max(STATS["peak"], NOW["requests"])
            STATS["tokens_peak"] = max(STATS["tokens_peak"], NOW["tokens"])
            attempt = ATTEMPTS[content, body.get("seed")]
            ATTEMPTS[content, body.get("seed")] += 1
            number = STATS["requests"]
        try:
            if options.die_after and number > options.die_after:
                print("fatal: out of imaginary memory", flush=True)
                os._exit(7)
            time.sleep(options.delay)
            if body["model"] != "echo" and options.strict:
                self.reply(404, {"error": {"message": f"the model {body['model']} does not exist"}})
            elif options.refuse and options.refuse in content:
                self.reply(400, {"error": {"message": "bad content"}})
            elif options.max_chars and len(content) > options.max_chars:
                message = "This model's maximum context length is 9 tokens."
                self.reply(400, {"error": {"message": message, "code": "context_length_exceeded"}})
            elif attempt < options.fail_first:
                if options.status == 0:
                    self.close_connection = True
                    return
                self.reply(options.status, {"error": {"message": "try later"}}, [("Retry-After", "0.01")])
            else:
                self.reply(200, self.completion(body))
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with LOCK:
                NOW["requests"] -= 1
                NOW["tokens"] -= cost

    def completion(self, body):
        thought = {"reasoning_content": "let me think"} if self.server.options.reasoning else {}
        return completion(body["model"], answer(body["messages"]), 11, 7, **thought)


def parse(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--fail-first", type=int, default=0)
    parser.add_argument("--status", type=int, default=500, help="0 closes the connection without an answer")
    parser.add_argument("--die-after", type=int, default=0)
    parser.add_argument("--max-chars", type=int, default=0)
    parser.add_argument("--model-len", type=int, default=0)
    parser.add_argument("--refuse", default="")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--reasoning", action="store_true")
    return parser.parse_args(arguments)


class Running:
    """A started server: its base URL, process and statistics."""

    def __init__(self, process, port):
        self.process, self.port = process, port
        self.base_url = f"http://127.0.0.1:{port}/v1"

    def stats(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=10) as reply:
            return json.load(reply)


@contextlib.contextmanager
def run(script, *arguments):
    """Run a server's script as a process until the block ends."""
    command = [sys.executable, "-u", script, *map(str, arguments)]
    # A script finds the modules of its own folder, and this one only here.
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
    try:
        yield Running(process, int(process.stdout.readline().split()[1]))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


start = functools.partial(run, __file__)
"""Run the server as a process until the block ends."""

if __name__ == "__main__":
    options = parse()
    serve(options.port, Handler, options)
