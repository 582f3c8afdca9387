"""The files of an archive that anyone may have made: read in memory within limits, nothing is written to disk."""

import stat
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

MIB = 2**20
MOST_PACKED = 16 * MIB
BLOCK = tarfile.BLOCKSIZE
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)  # neither links nor devices, nor what takes more room than it has bytes


def members_of(path: Path, most_bytes: Mapping[str, int]) -> dict[str, bytes]:
    """Return the files of a gzipped tar, each of which it must hold once, and no other.

    Args:
        path: of the archive.
        most_bytes: by name, how large a file may be.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such archive, with the rule that it breaks.
        tarfile.TarError: what it unpacks to is no tar.
    """
    return _members(_unzipped(path, sum(most_bytes.values()) + MIB), most_bytes)


def _unzipped(path: Path, most: int) -> bytes:
    """Return the content of a gzipped file, of one stream with nothing behind it."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it must be a file, got a folder or a device")
    with path.open("rb") as file:
        packed = file.read(MOST_PACKED + 1)
    if len(packed) > MOST_PACKED:
        raise ValueError(f"it must have at most {MOST_PACKED // MIB} MiB, got more")
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # gzip alone, its checksum checked
    try:
        content = stream.decompress(packed, most + 1)
    except zlib.error as error:
        raise ValueError(f"it must be compressed by gzip, and undamaged, got {error}") from error
    if len(content) > most:
        raise ValueError(f"it must unpack to at most {most // MIB} MiB, got more")
    if not stream.eof or stream.unused_data:
        raise ValueError(
            f"it must be one gzip stream, got {'more behind it' if stream.eof else 'one that is cut short'}"
        )
    return content


def _members(content: bytes, most_bytes: Mapping[str, int]) -> dict[str, bytes]:
    """Return what a tar holds: each expected file once, as a plain file, and nothing else.

    Headers are read one at a time: tarfile itself would follow those that extend, link and resize others.
    """
    found: dict[str, bytes] = {}
    place = 0
    while any(block := content[place : place + BLOCK]):
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        if member.name not in most_bytes or member.name in found:
            raise ValueError(f"it must hold {', '.join(most_bytes)} once each, got {member.name!r:.60}")
        if member.type not in PLAIN or not 0 <= member.size <= most_bytes[member.name]:
            most = f"a plain file of at most {most_bytes[member.name] // MIB} MiB"
            raise ValueError(f"{member.name} must be {most}, got type {member.type!r} of {member.size} bytes")
        start, end = place + BLOCK, place + BLOCK + member.size
        if end > len(content):
            raise ValueError(
                f"{member.name} must have {member.size} bytes, got {len(content) - start}: it is cut short"
            )
        found[member.name] = content[start:end]
        place = start + -(-member.size // BLOCK) * BLOCK
    if any(content[place:]):
        raise ValueError("it must end behind its files, got more behind the end")
    if missing := [name for name in most_bytes if name not in found]:
        raise ValueError(f"it must hold {', '.join(most_bytes)}, got no {', '.join(missing)}")
    return found
