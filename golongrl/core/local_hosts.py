"""Which addresses are on this machine: a proxy set for the internet must not see requests to them."""

import urllib.request
from urllib.parse import urlsplit


def is_local(url: str) -> bool:
    """Whether an http or https address is on this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def opener(url: str) -> urllib.request.OpenerDirector:
    """What opens an address: through the environment's proxies, but for addresses on this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({} if is_local(url) else None))


def environment() -> dict[str, str]:
    """Variables with which another program asks this machine past the proxies that it inherits."""
    own = urllib.request.getproxies_environment().get("no")
    # "*" excepts every address only where it stands alone. "::1" is left out: some clients choke on it.
    hosts = own if own == "*" else ",".join(filter(None, (own, "127.0.0.1", "localhost")))
    # Both spellings, because the small one wins where both are set.
    return {"NO_PROXY": hosts, "no_proxy": hosts}
