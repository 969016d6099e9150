"""Which rollout server reads which prompt: golongrl's router against verl's own, on simulated arrivals.

Run: python benchmarks/rollout_routing.py (needs golongrl[train])

16 servers, 16 rollouts per prompt, prompts of 4K to 160K tokens (evenly in the logarithm), answers of up to 16K.
Eight agent loop workers have their prompts in a row and take turns, and no rollout ends while others arrive. A server
that gets a rollout of a prompt reads the prompt once. Means over 20 draws; the time is one router's, without Ray.
Exit code 1 when golongrl's router lets a prompt be read twice.
"""

import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from verl.workers.rollout.router import GlobalRequestLoadBalancer

from golongrl.pipeline.training.verl_plugin.prompt_router import PromptRouter

SERVERS = {f"server {number}": number for number in range(16)}
ROLLOUTS, WORKERS, ANSWER = 16, 8, 16_384
SHORTEST, LONGEST = 4_000, 160_000
DRAWS, TIMED = 20, 200


@dataclass(frozen=True)
class Spread:
    """How the requests of a step lie on the servers."""

    servers_per_prompt: float
    tokens_read: float
    busiest: float
    """Tokens of the server that reads the most, over their mean."""
    requests: tuple[int, int]
    """Fewest and most of a server."""


def arrivals(prompts: int) -> Iterator[int]:
    """The prompts of the requests of a step, in the order in which they arrive."""
    rows = [prompt for prompt in range(prompts) for _ in range(ROLLOUTS)]
    share = len(rows) // WORKERS
    for place in range(share):
        yield from (rows[worker * share + place] for worker in range(WORKERS))


def spread(router: GlobalRequestLoadBalancer, lengths: Sequence[int]) -> Spread:
    """Send the requests of all prompts through a router."""
    reads: defaultdict[int, set[str]] = defaultdict(set)
    requests: Counter[str] = Counter()
    ids = [[prompt] * length for prompt, length in enumerate(lengths)] if isinstance(router, PromptRouter) else []
    for number, prompt in enumerate(arrivals(len(lengths))):
        server, _ = router.acquire_server(str(number), **({"prompt_ids": ids[prompt]} if ids else {}))
        reads[prompt].add(server)
        requests[server] += 1
    tokens = {server: sum(lengths[prompt] for prompt in reads if server in reads[prompt]) for server in SERVERS}
    return Spread(
        servers_per_prompt=fmean(map(len, reads.values())),
        tokens_read=sum(tokens.values()),
        busiest=max(tokens.values()) / fmean(tokens.values()),
        requests=(min(requests[server] for server in SERVERS), max(requests.values())),
    )


def routers() -> dict[str, GlobalRequestLoadBalancer]:
    """A fresh router of each kind."""
    return {
        "verl": GlobalRequestLoadBalancer(dict(SERVERS)),
        "golongrl": PromptRouter(SERVERS, {"answer_tokens": ROLLOUTS * ANSWER}),
    }


def main() -> int:
    """Print the table; 1 when golongrl's router lets a prompt be read twice."""
    print("| prompts | router | servers per prompt | tokens read | busiest server | requests of a server |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    once = True
    for prompts in (128, 512):
        found: defaultdict[str, list[Spread]] = defaultdict(list)
        for draw in range(DRAWS):
            random.seed(draw)  # verl breaks ties with it
            ratio = LONGEST / SHORTEST
            lengths = [round(SHORTEST * ratio ** random.random()) for _ in range(prompts)]
            for name, router in routers().items():
                found[name].append(spread(router, lengths))
        for name, each in found.items():
            fewest, most = (fmean(one.requests[end] for one in each) for end in (0, 1))
            print(
                f"| {prompts} | {name} | {fmean(one.servers_per_prompt for one in each):.1f} | "
                f"{fmean(one.tokens_read for one in each) / 1e6:.1f} M | "
                f"{fmean(one.busiest for one in each):.2f} x the mean | {fewest:.0f} to {most:.0f} |"
            )
        once &= all(one.servers_per_prompt == 1 for one in found["golongrl"])
    prompt = [random.randrange(150_000) for _ in range(LONGEST)]
    router = routers()["golongrl"]
    start = time.perf_counter()
    for number in range(TIMED):
        router.acquire_server(str(number), prompt_ids=prompt)
    print(f"\na request of {LONGEST:,} tokens: {(time.perf_counter() - start) / TIMED * 1000:.1f} ms")
    return 0 if once else 1


if __name__ == "__main__":
    sys.exit(main())
