import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import chat_server
import pytest

from golongrl.core import servers
from golongrl.core.errors import ServerError, UsageError

SCRIPT = chat_server.__file__


def start(tmp_path, *arguments, **options):
    port = servers.choose_port()
    command = [sys.executable, SCRIPT, "--port", str(port), *map(str, arguments)]
    log = tmp_path / "server.log"
    return servers.running(command, engine="test", model="echo", port=port, log=log, **options)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if not Path("/proc").exists():
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_server_is_up_inside_the_block_and_gone_after_it(tmp_path):
    with start(tmp_path) as server:
        assert servers.is_healthy(server.base_url.removesuffix("/v1") + "/health")
        server.check()
        port = int(server.base_url.split(":")[2].split("/")[0])
    assert not servers.is_healthy(f"http://127.0.0.1:{port}/health")
    assert servers.choose_port(port) == port


def test_server_is_stopped_when_the_block_raises(tmp_path):
    with pytest.raises(KeyboardInterrupt), start(tmp_path) as server:
        raise KeyboardInterrupt
    assert server.process.poll() is not None
    assert not servers.is_healthy(server.base_url.removesuffix("/v1") + "/health")


def test_death_at_start_shows_the_end_of_the_log(tmp_path):
    code = "import sys\nfor i in range(30): print('line', i)\nsys.exit(3)"
    log = tmp_path / "server.log"
    context = servers.running([sys.executable, "-c", code], engine="vllm", model="m", port=1, log=log)
    with pytest.raises(ServerError) as caught, context:
        pass
    message = str(caught.value)
    assert "exit code 3" in message
    assert str(log) in message
    assert "line 29" in message
    assert "line 10\n" in message
    assert "line 9\n" not in message


def test_death_later_is_seen_by_check(tmp_path):
    body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "q"}], "max_tokens": 1}).encode()
    with start(tmp_path, "--die-after", 1) as server:
        url = server.base_url + "/chat/completions"
        assert urllib.request.urlopen(url, body, timeout=10).status == 200
        server.check()
        with pytest.raises(OSError, match="Remote end closed"):
            urllib.request.urlopen(url, body, timeout=10)
        assert wait_until(lambda: server.process.poll() is not None)
        with pytest.raises(ServerError, match=r"(?s)ended with exit code 7.*imaginary memory"):
            server.check()


def test_never_healthy_is_an_error_and_leaves_nothing_running(tmp_path):
    pid_file = tmp_path / "pid"
    code = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    log = tmp_path / "log"
    context = servers.running([sys.executable, "-c", code], engine="vllm", model="m", port=1, log=log, timeout=1)
    with pytest.raises(ServerError, match="not healthy after 1 s"), context:
        pass
    assert not is_running(int(pid_file.read_text()))


def test_children_end_with_a_killed_starter(tmp_path):
    pid_file, log = tmp_path / "pids", tmp_path / "log"
    # The server starts a worker of its own, as engines do.
    server = (
        "import os, subprocess, sys, time\n"
        "w = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])\n"
        f"open({str(pid_file)!r}, 'w').write(f'{{os.getpid()}} {{w.pid}}\\n'); time.sleep(99)"
    )
    starter = (
        "import sys; from pathlib import Path; from golongrl.core import servers\n"
        f"with servers.running([sys.executable, '-c', {server!r}], engine='e', model='m', port=1,"
        f" log=Path({str(log)!r})):\n    pass\n"
    )
    process = subprocess.Popen([sys.executable, "-c", starter])
    assert wait_until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    pids = [int(pid) for pid in pid_file.read_text().split()]
    assert all(is_running(pid) for pid in pids)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_busy_port_is_refused(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {port} .* choose another --port"):
            servers.serve("transformers", "m", port=port, log=tmp_path / "log")


def test_unknown_engine_lists_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="transformers, vllm, sglang"):
        servers.serve("tgi", "m", log=tmp_path / "log")


def test_missing_interpreter(tmp_path):
    with pytest.raises(UsageError, match="--server-python"):
        servers.serve("vllm", "m", python=str(tmp_path / "python"), log=tmp_path / "log")
