"""The compute capabilities that a library has GPU code for, read from its fat binaries.

A fat binary is a header and entries, each PTX or a cubin for one architecture. NVIDIA does
not document the layout; ``cuobjdump --list-elf --list-ptx`` prints the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Protocol

from extensions.gpus import Code

_MAGIC = struct.pack("<I", 0xBA55ED50)
_HEADER = struct.Struct("<IHHQ")  # magic, version, size of this header, size of the entries
_ENTRY = struct.Struct("<HHIQ")  # kind, version, size of this header, size of the code
_ARCHITECTURE = 28
"""Offset of the architecture, such as 80, in the header of an entry."""
_PTX, _CUBIN = 1, 2
_LARGEST = 1 << 30
"""Bytes of a fat binary beyond which a magic number is taken for a chance."""
_BLOCK = 1 << 20


def capability(architecture: int) -> str:
    """Return a compute capability such as ``"8.0"`` of an architecture such as 80."""
    return f"{architecture // 10}.{architecture % 10}"


def code_of(found: Iterable[tuple[int, int]]) -> Code:
    """Return the code that kinds and architectures of entries make, in ascending order."""
    entries = set(found)
    native = sorted(architecture for kind, architecture in entries if kind == _CUBIN)
    ptx = sorted(architecture for kind, architecture in entries if kind == _PTX)
    return Code(tuple(map(capability, native)), tuple(map(capability, ptx)))


class Readable(Protocol):
    """What has bytes to read."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer at the end."""


class _Stream:
    """Bytes of which the next ones can be looked at."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._buffer = b""

    def peek(self, size: int) -> bytes:
        """Return the next bytes, fewer at the end."""
        while len(self._buffer) < size and (block := self._source.read(_BLOCK)):
            self._buffer += block
        return self._buffer[:size]

    def skip(self, size: int) -> None:
        """Pass over bytes."""
        while size > len(self._buffer):
            size -= len(self._buffer)
            self._buffer = self._source.read(_BLOCK)
            if not self._buffer:
                return
        self._buffer = self._buffer[size:]

    def find(self, mark: bytes) -> bool:
        """Pass over everything before a mark; return whether there is one."""
        while len(self.peek(len(mark))) == len(mark):
            at = self._buffer.find(mark)
            if at >= 0:
                self.skip(at)
                return True
            self._buffer = self._buffer[-len(mark) + 1 :] + self._source.read(_BLOCK)
        return False


def _entries(stream: _Stream, size: int) -> Iterator[tuple[int, int]]:
    """Yield kind and architecture of each entry of a fat binary, passing over their code."""
    while size > 0:
        head = stream.peek(_ARCHITECTURE + 4)
        if len(head) < _ARCHITECTURE + 4:
            return
        kind, _, header, code = _ENTRY.unpack_from(head)
        if kind not in (_PTX, _CUBIN) or header < len(head):
            return
        yield kind, struct.unpack_from("<I", head, _ARCHITECTURE)[0]
        stream.skip(header + code)
        size -= header + code


def scan(library: Readable, enough: int = 24) -> Code:
    """Return the code of a library, read from its beginning.

    Args:
        library: The bytes of the library.
        enough: Fat binaries after which the rest is not read: each has the code of one
            source file, and nearly all of them have it for the same architectures. Those for
            one alone do not count: nvcc makes them of sources without GPU code.
    """
    found: set[tuple[int, int]] = set()
    stream = _Stream(library)
    seen = 0
    while seen < enough and stream.find(_MAGIC):
        head = stream.peek(_HEADER.size)
        if len(head) < _HEADER.size:
            break
        _, _, header, size = _HEADER.unpack(head)
        if header != _HEADER.size or size > _LARGEST:
            stream.skip(len(_MAGIC))
            continue
        stream.skip(header)
        entries = set(_entries(stream, size))
        found |= entries
        seen += len({architecture for _, architecture in entries}) > 1
    return code_of(found)
