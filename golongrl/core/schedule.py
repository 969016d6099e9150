"""Which request starts next: within a budget of tokens, and so that a server's prefix cache is met warm.

Requests that begin alike form a group. The first of a group is sent ahead; the others start when the server has read
its prompt, and until then whatever else comes next. A group's common start stays in the budget from its first request
to its last, because it stays in the server's cache as long: so many groups are open at once as the cache holds.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

_SEEN_ENOUGH = 16
_MARGIN = 2
"""After _SEEN_ENOUGH answers one is expected to be _MARGIN times as long as their mean, at most as long as it may be:
rooms for the longest answers would leave most of a cache empty."""


@dataclass(frozen=True)
class Wanted:
    """Tokens of one request: its prompt, its longest answer, and `n_shared` of the prompt that its `group` shares.

    A request without a group shares nothing.
    """

    n_prompt: int
    max_output: int
    group: str = ""
    n_shared: int = 0


@dataclass
class _Group:
    """Requests that wait, and whether one of them is on its way to fill the cache for the others."""

    waiting: deque[int] = field(default_factory=deque)
    running: int = 0
    leader: int | None = None
    warm: bool = False
    n_shared: int = 0
    held: int = 0


class Schedule:
    """Starts requests in their order, group by group; one that is alone may exceed the budget.

    Groups start strictly in the order of their first requests: one that does not fit yet is waited for, so that none
    starves. Only a group whose first request is still being read is passed over.
    """

    def __init__(self, wanted: Sequence[Wanted], max_requests: int, token_budget: int | None):
        self.in_flight = 0
        self.tokens = 0
        self._wanted = wanted
        self._max_requests = max_requests
        self._token_budget = token_budget
        self._charged: dict[int, int] = {}
        self._answers = 0
        self._answer_tokens = 0
        groups: dict[object, _Group] = {}
        self._group_of: list[_Group] = []
        for place, one in enumerate(wanted):
            group = groups.setdefault(one.group or place, _Group(n_shared=one.n_shared if one.group else 0))
            group.n_shared = min(group.n_shared, one.n_shared)
            group.waiting.append(place)
            self._group_of.append(group)
        self._waiting = list(groups.values())

    @property
    def exhausted(self) -> bool:
        """Whether every request was started."""
        return not self._waiting

    def leads(self, place: int) -> bool:
        """Whether others wait until this request's prompt is read."""
        group = self._group_of[place]
        return group.leader == place and bool(group.waiting) and self._max_requests > 1

    def next(self) -> int | None:
        """The place of a request that starts now, or None while none may."""
        if self.in_flight >= self._max_requests:
            return None
        for number, group in enumerate(self._waiting):
            if group.leader is not None and not group.warm:
                continue
            place = group.waiting[0]
            own = self._own_cost(place)
            hold = group.n_shared if not group.held else 0
            budget = self._token_budget
            if budget is not None and self.in_flight and self.tokens + own + hold > budget:
                return None
            group.waiting.popleft()
            if not group.waiting:
                del self._waiting[number]
            if not group.warm:
                group.leader = place
            group.running += 1
            group.held += hold
            self._charged[place] = own
            self.in_flight += 1
            self.tokens += own + hold
            return place
        return None

    def _own_cost(self, place: int) -> int:
        one = self._wanted[place]
        output = one.max_output
        if self._answers >= _SEEN_ENOUGH:
            output = min(output, max(1, _MARGIN * self._answer_tokens // self._answers))
        return one.n_prompt - self._group_of[place].n_shared + output

    def read(self, place: int) -> None:
        """Note that the server has read this request's prompt."""
        group = self._group_of[place]
        if group.leader == place:
            group.warm = True

    def finished(self, place: int, n_output: int | None) -> None:
        """Note that a request is over; `n_output` are the tokens of its answer, None where it failed."""
        group = self._group_of[place]
        if n_output is not None:
            self.read(place)
            self._answers += 1
            self._answer_tokens += n_output
        elif group.leader == place and not group.warm:
            # The next one goes ahead in its place.
            group.leader = None
        group.running -= 1
        self.in_flight -= 1
        self.tokens -= self._charged.pop(place)
        if not group.running and not group.waiting:
            self.tokens -= group.held
            group.held = 0
