"""Reading the pieces out of a SentencePiece model, such as ALBERT's released ``30k-clean.model``.

A model is a protocol buffer; only its first field, pieces and scores, is looked at. Knows no tokenizer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from tpu_train.errors import InputError

_PIECES, _TEXT, _SCORE = 1, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def pieces(path: Path) -> list[tuple[str, float]]:
    """Pieces and their log-probabilities, in the order of their ids.

    Raises:
        InputError: not a SentencePiece model.
    """
    try:
        found = [
            _piece(content) for field, content in _fields(path.read_bytes()) if field == _PIECES and content
        ]
    except (IndexError, struct.error, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path} is not a SentencePiece model ({error}).") from None
    if not found:
        raise InputError(f"{path} is not a SentencePiece model: it holds no pieces.")
    return found


def _piece(message: bytes) -> tuple[str, float]:
    text, score = "", 0.0
    for field, content in _fields(message):
        if field == _TEXT:
            text = content.decode("utf-8")
        elif field == _SCORE:
            (score,) = struct.unpack("<f", content)
    return text, score


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Numbers and raw contents of a message's fields (protobuf's wire format)."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            _, end = _varint(message, place)
        elif kind == _BYTES:
            size, place = _varint(message, place)
            end = place + size
        elif kind in (_FIXED32, _FIXED64):
            end = place + (4 if kind == _FIXED32 else 8)
        else:
            raise ValueError(f"a field of kind {kind}")
        if end > len(message):
            raise ValueError("it ends in the middle of a field")
        yield key >> 3, message[place:end]
        place = end


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
