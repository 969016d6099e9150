"""Reading zip files that may be hostile: how much they may unpack to, and what their members may be called."""

import io
import zipfile
import zlib

from golongrl.pipeline.dataset.readers import RefusedError

MAX_MEMBERS = 20_000
MAX_TOTAL_BYTES = 1024**3
"""Unpacked size of all members together."""
MAX_RATIO = 200
"""Unpacked over packed size of a member; XML text reaches about 30."""
RATIO_FROM_BYTES = 8 * 1024**2
"""Members that unpack to less are not asked for their ratio."""

_ENCRYPTED = 0x1


def open_zip(data: bytes, what: str) -> zipfile.ZipFile:
    """The archive, when all its members may be read. RefusedError, naming `what` the file claims to be: damaged,
    encrypted, too many members, more than the limits when unpacked, or names that lead out of the archive.

    The checks go by the sizes stated in the directory; zipfile reads no more than those of any member.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise RefusedError(f"damaged or truncated {what}: {error}; fetch the file again") from error
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise RefusedError(f"{what} with {len(members)} members, above the limit of {MAX_MEMBERS}")
    total = 0
    for member in members:
        _check_name(member.filename, what)
        if member.flag_bits & _ENCRYPTED:
            raise RefusedError(f"encrypted {what}: {member.filename} needs a password; save a copy without one")
        total += member.file_size
        if member.file_size > max(RATIO_FROM_BYTES, MAX_RATIO * member.compress_size):
            raise RefusedError(
                f"{what}: {member.filename} unpacks to {member.file_size // 1024**2} MB, more than {MAX_RATIO} times "
                "its size; it looks like a zip bomb"
            )
    if total > MAX_TOTAL_BYTES:
        raise RefusedError(
            f"{what}: it unpacks to {total // 1024**2} MB, above the limit of {MAX_TOTAL_BYTES // 1024**2} MB"
        )
    return archive


def read_member(archive: zipfile.ZipFile, name: str, what: str) -> bytes:
    """The bytes of a member; RefusedError when it is missing or damaged."""
    try:
        return archive.read(name)
    except KeyError as error:
        raise RefusedError(f"damaged {what}: it has no {name}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise RefusedError(f"damaged {what}: {name} cannot be unpacked ({error})") from error


def _check_name(name: str, what: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or parts[0].endswith(":"):
        raise RefusedError(f"{what}: the member {name!r} leads out of the archive")
