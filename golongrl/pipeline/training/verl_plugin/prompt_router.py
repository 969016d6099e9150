"""Which rollout server takes a request: all rollouts of a prompt go to one, which reads the prompt once.

verl sends a request to the server with the fewest requests. A prompt's rollouts arrive together, so they end up on as
many servers, and each of these computes the prompt, and keeps it in its key-value cache, for a rollout or two. Here
the first rollout chooses the server, and the others follow it while any is running. Set through
rollout.router_config_path.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from verl.workers.rollout.router import GlobalRequestLoadBalancer


class PromptRouter(GlobalRequestLoadBalancer):
    """Sends a new prompt to the server with the fewest tokens ahead; verl runs it as a Ray actor.

    A prompt counts with its length and `answer_tokens`, the most that all its rollouts together may generate.
    """

    def __init__(self, servers: Mapping[str, Any], config: Mapping[str, Any]):
        super().__init__(dict(servers))
        self._answer_tokens: int = config["answer_tokens"]
        self._tokens: Counter[str] = Counter()
        """Server -> tokens of the prompts that are at it."""
        self._at: dict[int, str] = {}
        """Prompt that has rollouts running -> its server."""
        self._running: Counter[int] = Counter()
        """Prompt -> its rollouts that are running."""
        self._prompt_of: dict[str, tuple[int, int]] = {}
        """Request that is running -> its prompt and tokens."""

    def require_acquire_fields(self) -> list[str]:
        """What verl hands to `acquire_server` beside the request's id."""
        return ["prompt_ids"]

    def require_release_fields(self) -> list[str]:
        """What verl hands to `release_server` beside the server."""
        return ["request_id"]

    def acquire_server(self, request_id: str, prompt_ids: Sequence[int] = ()) -> tuple[str, Any]:
        """(server, its handle) for a request; later turns of a conversation follow its first. RuntimeError without
        any server."""
        if self._inflight_requests and self._request_id_to_server.get(request_id) not in self._inflight_requests:
            prompt, tokens = hash(tuple(prompt_ids)), len(prompt_ids) + self._answer_tokens
            server = self._at.get(prompt)
            if server not in self._inflight_requests:
                if server is not None:
                    # It is gone, and has nothing ahead should it come back.
                    self._tokens[server] -= tokens
                server = min(self._inflight_requests, key=lambda each: (self._tokens[each], each))
                self._at[prompt] = server
                self._tokens[server] += tokens
            self._running[prompt] += 1
            self._prompt_of[request_id] = (prompt, tokens)
            self._request_id_to_server[request_id] = server
        return super().acquire_server(request_id)

    def release_server(self, server_id: str, request_id: str | None = None) -> None:
        """Note that a request is over; with its prompt's last one the server has that prompt no more."""
        super().release_server(server_id)
        prompt, tokens = self._prompt_of.pop(request_id or "", (None, 0))
        if prompt is None:
            return
        self._running[prompt] -= 1
        if not self._running[prompt]:
            del self._running[prompt]
            self._tokens[self._at.pop(prompt)] -= tokens
