"""The test server for MRCR questions, whose models differ: `one` repeats the first reply, any other the last one."""

import functools

import chat_server


class Handler(chat_server.Handler):
    def completion(self, body):
        text = chat_server.answer(body["messages"])
        replies = [message["content"] for message in body["messages"] if message["role"] == "assistant"]
        if body["model"] != "one" and replies:
            text = text.replace(replies[0], replies[-1])
        return chat_server.completion(body["model"], text, 11, 7)


start = functools.partial(chat_server.run, __file__)
"""Run the server as a process until the block ends."""

if __name__ == "__main__":
    options = chat_server.parse()
    chat_server.serve(options.port, Handler, options)
