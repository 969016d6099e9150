"""A fault-injecting OpenAI-compatible server for tests, run as a process of its own on 127.0.0.1.

Answers come from `answer(messages, schema, model, seed) -> str` of the file given as `--script`; without one the
last message is echoed. Faults are drawn by the content of a request, its attempt and `--fault-seed`.
`GET /stats` tells what was seen.
"""

import argparse
import contextlib
import hashlib
import importlib.util
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULTS = ("429", "500", "hang", "cut", "nonsense", "malformed")
LOCK = threading.Lock()
SEEN: Counter = Counter()
ANSWERED: Counter = Counter()
STATS = {"requests": 0, "peak": 0, "now": 0, "busy_seconds": 0.0, "prefix_hits": 0, "prefixes": [], "faults": {}}
KEYS: Counter = Counter()
LAST_PREFIX: dict = {}


def echo(messages, schema, model, seed):
    return f"echo: {messages[-1]['content']}"


def load(path):
    if not path:
        return echo
    spec = importlib.util.spec_from_file_location("script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.answer


def digest(*parts):
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in two writes; with Nagle's algorithm each answer waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True

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

    def do_GET(self):
        options = self.server.options
        if self.path == "/stats":
            with LOCK:
                self.reply(200, {**STATS, "seen": SEEN, "answered": ANSWERED, "keys": KEYS})
        elif self.path == "/v1/models":
            length = {"max_model_len": options.model_len} if options.model_len else {}
            shared = {"object": "model", "created": 0, "owned_by": "tests", **length}
            rows = [{"id": name, **shared} for name in options.models]
            self.reply(200, {"object": "list", "data": rows})
        else:
            self.reply(200 if self.path == "/health" else 404, {})

    def fault(self, key, attempt):
        """Which fault this attempt meets; after `--fault-attempts` of them a content is answered."""
        options = self.server.options
        if attempt >= options.fault_attempts:
            return ""
        if options.schedule:
            return options.schedule[attempt % len(options.schedule)]
        drawn = int(digest(options.fault_seed, key, attempt), 16)
        return options.faults[drawn % len(options.faults)] if drawn % 1000 < options.probability * 1000 else ""

    def do_POST(self):
        options = self.server.options
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        messages, model, seed = body["messages"], body["model"], body.get("seed")
        key = digest(messages, model, seed)
        prefix = digest(messages[0]["content"][: options.prefix_chars])
        with LOCK:
            attempt = SEEN[key]
            SEEN[key] += 1
            KEYS[self.headers["Authorization"]] += 1
            STATS["requests"] += 1
            STATS["now"] += 1
            STATS["peak"] = max(STATS["peak"], STATS["now"])
            STATS["prefixes"].append(prefix)
            STATS["prefix_hits"] += LAST_PREFIX.get(model) == prefix
            LAST_PREFIX[model] = prefix
            fault = self.fault(key, attempt)
            if fault:
                STATS["faults"][fault] = STATS["faults"].get(fault, 0) + 1
        try:
            self.respond(body, key, fault)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with LOCK:
                STATS["now"] -= 1

    def respond(self, body, key, fault):
        options = self.server.options
        if body["model"] not in options.models:
            self.reply(404, {"error": {"message": f"no model {body['model']}"}})
        elif options.refuse and options.refuse in body["messages"][-1]["content"]:
            self.reply(400, {"error": {"message": "bad content"}})
        elif options.max_chars and sum(len(message["content"]) for message in body["messages"]) > options.max_chars:
            self.reply(400, {"error": {"message": "the prompt is above this model's maximum context length"}})
        elif fault == "429":
            self.reply(429, {"error": {"message": "slow down"}}, [("Retry-After", "0.01")])
        elif fault == "500":
            self.reply(500, {"error": {"message": "broken"}})
        elif fault == "nonsense":
            self.reply(200, b"<html>not an API</html>")
        elif fault == "hang":
            time.sleep(options.hang)
            self.close_connection = True
        else:
            data = json.dumps(self.completion(body, fault)).encode()
            if fault == "cut":
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return
            with LOCK:
                ANSWERED[key] += 1
            self.reply(200, data)

    def completion(self, body, fault):
        form = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        text = self.server.answer(body["messages"], form, body["model"], body.get("seed"))
        if fault == "malformed":
            text = text[: len(text) // 2] + "{"
        prompt = sum(len(message["content"]) for message in body["messages"])
        n_tokens = self.server.options.answer_tokens or max(1, len(text) // 4)
        with self.server.slots:
            time.sleep(n_tokens * self.server.options.token_seconds)
            with LOCK:
                STATS["busy_seconds"] += n_tokens * self.server.options.token_seconds
        usage = {"prompt_tokens": max(1, prompt // 4), "completion_tokens": n_tokens}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            "usage": {**usage, "total_tokens": sum(usage.values())},
        }


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--script", default="")
    parser.add_argument("--models", type=lambda text: text.split(","), default=["echo"])
    parser.add_argument("--model-len", type=int, default=0)
    parser.add_argument("--schedule", type=lambda text: text.split(","), default=[], help="fault of each attempt")
    parser.add_argument("--faults", type=lambda text: text.split(","), default=list(FAULTS[:5]))
    parser.add_argument("--probability", type=float, default=0.0)
    parser.add_argument("--fault-seed", type=int, default=0)
    parser.add_argument("--fault-attempts", type=int, default=2)
    parser.add_argument("--hang", type=float, default=2.0)
    parser.add_argument("--refuse", default="")
    parser.add_argument("--max-chars", type=int, default=0, help="longest prompt")
    parser.add_argument("--slots", type=int, default=256)
    parser.add_argument("--token-seconds", type=float, default=0.0)
    parser.add_argument("--answer-tokens", type=int, default=0)
    parser.add_argument("--prefix-chars", type=int, default=200)
    return parser.parse_args()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def main():
    options = parse()
    server = Server(("127.0.0.1", 0), Handler)
    server.options, server.answer = options, load(options.script)
    server.slots = threading.Semaphore(options.slots)
    print(f"port {server.server_address[1]}", flush=True)
    server.serve_forever()


class Running:
    """A started server: its base URL, process and statistics."""

    def __init__(self, process, port):
        self.process, self.port = process, port
        self.base_url = f"http://127.0.0.1:{port}/v1"

    def stats(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=10) as reply:
            return json.load(reply)


@contextlib.contextmanager
def start(*arguments):
    """Run the server as a process until the block ends."""
    command = [sys.executable, "-u", __file__, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Running(process, int(process.stdout.readline().split()[1]))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    main()
