"""Reading from the Hugging Face hub: every failure as one error of ours that says what to do next."""

from collections.abc import Callable
from typing import TypeVar

from golongrl.core.errors import DataError, ServerError

T = TypeVar("T")


def asked(what: str, call: Callable[[], T], elsewhere: str) -> T:
    """What `call` gets from the hub. `what` names the data set asked for, `elsewhere` the way that needs no hub.

    Raises DataError where the hub lacks it or does not give it to this login, ServerError where the hub cannot be
    reached or does not answer.
    """
    import httpx
    from huggingface_hub import errors

    try:
        return call()
    except errors.GatedRepoError as error:
        raise DataError(
            f"{what} is gated: accept its terms on the hub's page, then log in with `hf auth login` or set HF_TOKEN, "
            f"or {elsewhere}"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(
            f"{what}: the hub has no such data set, or it is private; check the name, run `hf auth login`, or "
            f"{elsewhere}"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise DataError(
            f"{what}: the data set has no such revision; name a branch, a tag or a commit that is there, or "
            f"{elsewhere}"
        ) from error
    except (errors.RemoteEntryNotFoundError, errors.HFValidationError) as error:
        raise DataError(f"{what}: {' '.join(str(error).split())}; check the name, or {elsewhere}") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no status"
        raise ServerError(
            f"{what}: the hub refused to answer ({status}); run the same command again, or {elsewhere}"
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, httpx.HTTPError, OSError) as error:
        raise ServerError(
            f"{what}: the hub cannot be reached ({type(error).__name__}); check the network and HF_ENDPOINT and "
            f"unset HF_HUB_OFFLINE, or {elsewhere}"
        ) from error
