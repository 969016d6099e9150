from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.request import proxy_bypass_environment

import pytest

from golongrl.core.local_hosts import environment, is_local, opener


def test_which_addresses_are_on_this_machine():
    local = ("http://127.0.0.1:8000/v1", "http://localhost/v1", "https://[::1]:8000")
    assert all(map(is_local, local))
    elsewhere = ("http://10.0.0.7:8000/v1", "https://localhost.example.org/v1", "http://127.0.0.1.example.org", "")
    assert not any(map(is_local, elsewhere))


@pytest.fixture
def proxy(monkeypatch):
    """The addresses that a proxy was asked for; it is the environment's."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"by proxy")

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("http_proxy", address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    yield address, seen
    server.shutdown()
    server.server_close()


def test_only_addresses_elsewhere_go_through_the_proxy(proxy):
    address, seen = proxy
    for url in ("http://models.example/metrics", f"{address}/metrics"):
        assert opener(url).open(url, timeout=10).read() == b"by proxy"
    # The second came straight to the same server, which is asked for a path then, not for an address.
    assert seen == ["http://models.example/metrics", "/metrics"]


@pytest.mark.parametrize("spelling", ["NO_PROXY", "no_proxy"])
def test_another_program_keeps_what_the_user_excepts(proxy, monkeypatch, spelling):
    monkeypatch.setenv(spelling, "models.example")
    for name, hosts in environment().items():
        monkeypatch.setenv(name, hosts)
    assert all(map(proxy_bypass_environment, ("127.0.0.1:8000", "localhost", "models.example")))
    assert not proxy_bypass_environment("10.0.0.7")


def test_another_program_asks_no_proxy_at_all_where_the_user_says_so(proxy, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    for name, hosts in environment().items():
        monkeypatch.setenv(name, hosts)
    assert all(map(proxy_bypass_environment, ("127.0.0.1:8000", "models.example")))
