"""Many chat requests at once: in the order and within the budget of `schedule`, answers in a journal as they come.

An interrupted run asks only for what is missing. A generation with an error is owed again; it is not a result.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from golongrl.core import chat
from golongrl.core.schedule import Schedule, Wanted
from golongrl.core.store import Journal


def _too_large(endpoint: chat.Endpoint, request: chat.Request, key: str) -> chat.Generation | None:
    """The error of a request that the server's KV cache cannot hold, None for one that it can."""
    need = request.n_tokens + request.sampling.max_tokens
    if endpoint.kv_tokens is None or need <= endpoint.kv_tokens:
        return None
    message = (
        f"not sent: the prompt's {request.n_tokens} tokens and an answer of up to {request.sampling.max_tokens} "
        f"exceed the server's KV cache of {endpoint.kv_tokens} tokens and would hang it"
    )
    return chat.Generation(key=key, error=chat.ChatError(kind="overlong", message=message))


async def generate(
    endpoint: chat.Endpoint,
    requests: Iterable[chat.Request],
    journal: Journal,
    on_result: Callable[[chat.Generation], None] | None = None,
) -> None:
    """Answer every request that `journal` does not hold yet, and append each result as it comes.

    Requests start in their order, as `schedule` says. `on_result` is called once per request, also for those found in
    the journal. Raises ServerError when the endpoint is gone for good; what was finished before is in the journal.
    """
    identity = endpoint.identity or endpoint.model
    health = chat.Health(endpoint)
    tell = on_result or (lambda generation: None)
    owed: list[tuple[chat.Request, str]] = []
    for request in requests:
        key = request.key(identity)
        found = chat.stored(journal, key)
        if found is not None and found.error is None:
            tell(found)
        elif (refused := _too_large(endpoint, request, key)) is not None:
            journal.append(key, **refused.model_dump(exclude={"key"}))
            tell(refused)
        else:
            owed.append((request, key))
    wanted = [Wanted(one.n_tokens, one.sampling.max_tokens, one.group, one.n_shared) for one, _ in owed]
    schedule = Schedule(wanted, endpoint.max_requests, endpoint.token_budget)
    changed = asyncio.Event()

    async def finish(client: Any, place: int) -> None:
        request, key = owed[place]

        def read() -> None:
            schedule.read(place)
            changed.set()

        n_output = None
        try:
            generation = await chat.ask(
                client, endpoint, request, key, health, read if schedule.leads(place) else None
            )
            generation = generation.model_copy(update={"ended": round(time.time(), 3)})
            if generation.error is None:
                # A server that does not count: four characters are about a token.
                counted = generation.usage.completion_tokens
                n_output = counted if counted is not None else len(generation.text) // 4
            journal.append(key, **generation.model_dump(exclude={"key"}))
            tell(generation)
        finally:
            schedule.finished(place, n_output)
            changed.set()

    async def dispatch(client: Any) -> None:
        async with asyncio.TaskGroup() as tasks:
            while not schedule.exhausted:
                changed.clear()
                while (place := schedule.next()) is not None:
                    tasks.create_task(finish(client, place))
                if not schedule.exhausted:
                    await changed.wait()

    async with chat.open_client(endpoint) as client:
        work = asyncio.create_task(dispatch(client))
        watching = asyncio.create_task(chat.watch(endpoint.alive)) if endpoint.alive is not None else None
        try:
            await asyncio.wait({work, watching} if watching else {work}, return_when=asyncio.FIRST_COMPLETED)
            if watching is not None and watching.done() and not work.done():
                work.cancel()
            await work
        except asyncio.CancelledError:
            if watching is not None and watching.done():
                watching.result()
            raise
        finally:
            started = [task for task in (work, watching) if task is not None]
            for task in started:
                task.cancel()
            # Waited for, or asyncio would print the traceback of whatever a cancelled request ends with.
            await asyncio.gather(*started, return_exceptions=True)


def run(
    endpoint: chat.Endpoint,
    requests: Iterable[chat.Request],
    journal: Journal,
    on_result: Callable[[chat.Generation], None] | None = None,
) -> None:
    """`generate`, from code that is not asynchronous; the first error comes alone, out of its exception group."""
    try:
        asyncio.run(generate(endpoint, requests, journal, on_result))
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
