"""A fault-injecting OpenAI-compatible server for tests, run as a process of its own on 127.0.0.1.

Answers come from `answer(messages, schema, model, seed) -> str` of the file given as `--script`; without one the
last message is echoed. Faults are drawn by the content of a request, its attempt and `--fault-seed`.
`GET /stats` tells what was seen.
"""

import argparse
import functools
import hashlib
import importlib.util
import json
import threading
import time
from collections import Counter

import chat_server

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


class Handler(chat_server.JsonHandler):
    # Head and body leave in two writes; with Nagle's algorithm each answer waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self):
        options = self.server.options
        if self.path == "/stats":
            with LOCK:
                self.reply(200, {**STATS, "seen": SEEN, "answered": ANSWERED, "keys": KEYS})
        elif self.path == "/v1/models":
            self.reply(200, chat_server.model_list(options.models, options.model_len))
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
        return chat_server.completion(body["model"], text, max(1, prompt // 4), n_tokens)


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


start = functools.partial(chat_server.run, __file__)
"""Run the server as a process until the block ends."""

if __name__ == "__main__":
    options = parse()
    slots = threading.Semaphore(options.slots)
    chat_server.serve(0, Handler, options, answer=load(options.script), slots=slots)
