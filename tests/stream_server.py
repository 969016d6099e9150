"""A chat server that streams: the first token after `--read`, the end `--write` seconds later, faults on request.

`GET /stats` has `log`: "start", "first" and "end" of each request with the last word of its last message, in order.
"""

import contextlib
import functools
import json
import sys
import time

import chat_server

STATS = {"log": [], "streams": 0, "requests": 0}
CUT = []


class Handler(chat_server.JsonHandler):
    def note(self, what):
        with chat_server.LOCK:
            STATS["log"].append(f"{what} {self.name}")

    def do_GET(self):
        if self.path == "/stats":
            with chat_server.LOCK:
                self.reply(200, STATS)
        elif self.path == "/metrics" and self.server.options.pool:
            blocks = (
                f'vllm:cache_config_info{{block_size="16",num_gpu_blocks="{self.server.options.pool // 16}"}} 1.0'
            )
            self.reply(200, blocks.encode())
        elif self.path == "/v1/models":
            self.reply(200, chat_server.model_list(["echo"], 0))
        else:
            self.reply(404, {"error": {"message": "no such path"}})

    def do_POST(self):
        options = self.server.options
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.name = body["messages"][-1]["content"].split()[-1]
        stream = body.get("stream", False)
        with chat_server.LOCK:
            STATS["requests"] += 1
            STATS["streams"] += stream
        if stream and options.refuse:
            self.reply(400, {"error": {"message": "stream_options is not supported"}})
            return
        text = options.say or chat_server.answer(body["messages"])
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.note("start")
            time.sleep(options.read)
            if stream:
                self.stream(text, options)
            else:
                time.sleep(options.write)
                self.note("end")
                self.reply(200, chat_server.completion("echo", text, 11, 7))

    def stream(self, text, options):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        # The role alone tells nothing of the prompt.
        self.event({"role": "assistant", "content": ""})
        if options.reasoning:
            self.event({"reasoning_content": "let me think"})
        self.event({"content": text[:3]})
        self.note("first")
        time.sleep(options.write)
        self.close_connection = True
        if options.cut and self.name not in CUT:
            CUT.append(self.name)
            return
        self.event({"content": text[3:]})
        self.note("end")
        self.event({}, finish="stop", usage={"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, delta, finish=None, usage=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        head = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "echo"}
        data = json.dumps({**head, "choices": [choice], "usage": usage})
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()


start = functools.partial(chat_server.run, __file__)
"""Run the server as a process until the block ends."""

if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--read", type=float, default=0.0)
    parser.add_argument("--write", type=float, default=0.0)
    parser.add_argument("--pool", type=int, default=0)
    parser.add_argument("--say", default="", help="the answer to all, instead of an echo")
    parser.add_argument("--refuse", action="store_true")
    parser.add_argument("--cut", action="store_true", help="the first stream of each request breaks off")
    parser.add_argument("--reasoning", action="store_true")
    chat_server.serve(0, Handler, parser.parse_args(sys.argv[1:]))
