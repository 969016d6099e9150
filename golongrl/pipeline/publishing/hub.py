"""The hub through its own client: the login, and every failure as one message that says what to do next.

The token is the client's business alone: it is read from HF_TOKEN or the hub's login, and never shown or written.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from golongrl import __version__
from golongrl.core.errors import CheckFailedError, GolongrlError, ServerError, UsageError, require

T = TypeVar("T")

LOGIN = "run `hf auth login`, or set HF_TOKEN to a token that may write"
_LONGEST = 300
"""Characters of the hub's or the client's own words in a message."""
_PRIVATE = re.compile(r"(?<=\?)\S+|(?:hf|api_org)_\w+")
AGAIN = "run the same command again; what has arrived is kept and does not travel twice"


def connect() -> tuple[Any, dict[str, Any]]:
    """(huggingface_hub's HfApi, what the hub tells of the account); ServerError without a token that may write."""
    hub = require("huggingface_hub")
    if hub.get_token() is None:
        raise ServerError(f"there is no login for the hub: {LOGIN}")
    api = hub.HfApi(library_name="golongrl", library_version=__version__)
    account = asked("the account of your token", api.whoami)
    role = ((account.get("auth") or {}).get("accessToken") or {}).get("role")
    if role == "read":
        raise ServerError(f"the token of {account['name']} may only read: {LOGIN}")
    return api, account


def check_namespace(account: dict[str, Any], namespace: str) -> None:
    """ServerError where the account has no say in a namespace, which otherwise only the push itself would find.

    A fine-grained token may still lack the permission: what it is good for, the hub says only when it is used.
    """
    member = {org["name"]: org.get("roleInOrg") for org in account.get("orgs") or []}
    writable = [account["name"], *(name for name, role in member.items() if role != "read")]
    if namespace.lower() not in {name.lower() for name in writable}:
        raise ServerError(
            f"{account['name']} may not write to {namespace}: publish below {' or '.join(writable)}, or use a "
            "token of somebody who belongs to it"
        )


def asked(what: str, call: Callable[[], T]) -> T:
    """What the hub answers to `call`, its failures as errors of ours; `what` names the thing asked for."""
    import httpx
    from huggingface_hub import errors

    try:
        return call()
    except GolongrlError:
        raise
    except errors.HFValidationError as error:
        raise UsageError(f"{what}: {_line(error)}") from error
    except errors.HfHubHTTPError as error:
        raise _refused(what, error) from error
    except RuntimeError as error:
        # The client wraps what went wrong with one file.
        if isinstance(error.__cause__, errors.HfHubHTTPError):
            raise _refused(f"{what}: {_line(error)}", error.__cause__) from error
        if isinstance(error.__cause__, (httpx.HTTPError, ConnectionError, TimeoutError)):
            raise _unreachable(what, error.__cause__) from error
        raise ServerError(f"{what}: the transfer failed ({_line(error)}); {AGAIN}") from error
    except ValueError as error:
        raise CheckFailedError(f"{what}: {_line(error)}; nothing was published") from error
    except (errors.OfflineModeIsEnabled, httpx.HTTPError, ConnectionError, TimeoutError) as error:
        raise _unreachable(what, error) from error


def status_of(error: BaseException) -> int | None:
    """The hub's status code behind an error that `asked` raised; None where the hub did not answer."""
    cause: BaseException | None = error
    while cause is not None:
        response = getattr(cause, "response", None)
        if response is not None:
            return int(response.status_code)
        cause = cause.__cause__
    return None


def _refused(what: str, error: Any) -> GolongrlError:
    status = error.response.status_code if error.response is not None else 0
    said = _line(error.server_message or "") if getattr(error, "server_message", None) else ""
    told = f" ({said})" if said else ""
    if status == 401:
        return ServerError(f"{what}: the hub does not accept your token: {LOGIN}")
    if status == 403:
        return ServerError(
            f"{what}: your token may not do this{told}: use one with write permission for that account, and check "
            "that you belong to the organisation"
        )
    if status == 404:
        return UsageError(f"{what}: the hub has no such thing{told}; check the name and the revision")
    if status in (409, 412):
        return CheckFailedError(
            f"{what}: somebody else changed the repository in between{told}; nothing was overwritten. Run the same "
            "command again to see what is different now"
        )
    if status == 429:
        wait = error.response.headers.get("Retry-After")
        return ServerError(
            f"{what}: too many requests; wait {f'{wait} seconds' if wait else 'a while'}, then {AGAIN}"
        )
    if status in (400, 413, 422):
        return CheckFailedError(f"{what}: the hub refuses it{told or f' ({status})'}; nothing was published")
    return ServerError(f"{what}: the hub answers {status or 'nothing'}{told}; {AGAIN}")


def _unreachable(what: str, error: BaseException) -> ServerError:
    return ServerError(
        f"{what}: the hub cannot be reached ({_line(error) or type(error).__name__}); check the network and "
        f"HF_ENDPOINT, unset HF_HUB_OFFLINE, and {AGAIN}"
    )


def _line(text: object) -> str:
    """The words of the hub or its client on one line, without the signature of an address or a token."""
    line = _PRIVATE.sub("...", " ".join(str(text).split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
