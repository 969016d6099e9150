"""Xet storage as far as uploads need it: files arrive as chunks in xorbs, and shards say which chunks make a file.

A xorb is a row of chunks, each behind 8 bytes: version, compressed size (3 bytes), scheme, size (3 bytes), little
endian. A shard begins with 48 bytes of header; then each file has 48 bytes (hash, flags, number of segments), 48
bytes per segment (xorb, flags, size, first and last chunk), as many for their verification, and 48 with its sha256.
Hashes are four words of 8 bytes, little endian.
"""

import hashlib
import struct
import time

import pyarrow

from local_hub.state import Refused
from local_hub.storage import counted_body

ENTRY = 48
WITH_VERIFICATION, WITH_METADATA = 1 << 31, 1 << 30
END = b"\xff" * 32


def token(request, kind, name, revision):
    request.repo(kind, name, write=not request.query.get("create_pr"))
    found = {"accessToken": "cas", "exp": int(time.time()) + 3600, "casUrl": f"{request.hub.address}/cas"}
    request.send_json(found)


def xorb(request, name):
    body = counted_body(request)
    chunks, start = [], 0
    # A xorb may end in an index, whose first byte is no version of a chunk.
    while start + 8 <= len(body) and body[start] == 0:
        compressed, scheme, size = int.from_bytes(body[start + 1 : start + 4], "little"), *_scheme(body, start)
        data = body[start + 8 : start + 8 + compressed]
        chunks.append(_unpacked(data, scheme, size))
        start += 8 + compressed
    request.hub.xorbs[name] = chunks
    request.send_json({"was_inserted": True})


def _scheme(body, start):
    return body[start + 4], int.from_bytes(body[start + 5 : start + 8], "little")


def _unpacked(data, scheme, size):
    """The bytes of a chunk: as they are, compressed, or compressed after grouping every fourth byte."""
    if scheme == 0:
        return data
    plain = pyarrow.decompress(data, decompressed_size=size, codec="lz4", asbytes=True)
    if scheme == 1:
        return plain
    found, start = bytearray(size), 0
    for place in range(4):
        count = len(range(place, size, 4))
        found[place::4] = plain[start : start + count]
        start += count
    return bytes(found)


def shard(request):
    body, hub = request.body, request.hub
    start = ENTRY
    while body[start : start + 32] != END:
        flags, count = struct.unpack_from("<II", body, start + 32)
        content = b""
        for segment in range(count):
            at = start + ENTRY * (1 + segment)
            _, _, first, last = struct.unpack_from("<IIII", body, at + 32)
            content += b"".join(hub.xorbs[_hash(body[at : at + 32])][first:last])
        start += ENTRY * (1 + count * (2 if flags & WITH_VERIFICATION else 1))
        sha256 = hashlib.sha256(content).hexdigest()
        if flags & WITH_METADATA:
            if _hash(body[start : start + 32]) != sha256:
                raise Refused(400, "", "the content is not what the sha256 says")
            start += ENTRY
        hub.stored[sha256] = content
    request.send_json({"result": 1})


def _hash(raw):
    return "".join(raw[place : place + 8][::-1].hex() for place in range(0, 32, 8))
