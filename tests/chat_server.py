"""A small OpenAI-compatible server for tests, run as a process of its own: deterministic answers, faults on request.

It answers with the random prefix of an MRCR question and the first assistant message of the conversation, or with
"echo: ..." and the last message. `GET /stats` tells what it saw.
"""

import argparse
import contextlib
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


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body, headers=()):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/health":
            self.reply(200, {"status": "ok"})
        elif self.path == "/stats":
            with LOCK:
                self.reply(200, STATS)
        elif self.path == "/v1/models":
            model = {"id": "echo", "object": "model", "created": 0, "owned_by": "tests"}
            if self.server.options.model_len:
                model["max_model_len"] = self.server.options.model_len
            self.reply(200, {"object": "list", "data": [model]})
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
        message = {"role": "assistant", "content": answer(body["messages"])}
        if self.server.options.reasoning:
            message["reasoning_content"] = "let me think"
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            "usage": usage,
        }


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


def main():
    options = parse()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    server.request_queue_size = 128
    server.options = options
    print(f"port {server.server_address[1]}", flush=True)
    server.serve_forever()


class Running:
    """A started server: its base URL, process and statistics."""

    def __init__(self, process, port):
        self.process = process
        self.port = port
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
