"""Whether a file is all there and as it was written, as far as its format says it without being decoded.

FFmpeg reads what is left of a file that was cut off and mostly says nothing. Matroska, AVI and MP4 declare the size of
what they hold, a GIF ends with a trailer, MPEG-TS is made of packets of one size; a cut shows in these. Containers
that are written as they come (FLV, MPEG-PS, fragmented MP4, live Matroska, TS cut between packets) declare
nothing: there only the decoder can tell, and a cut between two frames cannot be seen.
"""

import os
import zlib
from typing import BinaryIO

from vgen.data.entry import Unreadable

MP4_BOXES = {
    name.encode()
    for name in ("ftyp", "moov", "mdat", "free", "skip", "wide", "moof", "mfra", "sidx", "uuid", "meta")
}
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
TS_PACKETS = (188, 192, 204)  # bytes; plain, with time stamps (m2ts), with error correction
SYNC = 0x47


def check_whole(file: BinaryIO) -> None:
    """Raise Unreadable if `file` ends before its container does. Other formats pass. Leaves it at its beginning."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(12)
    try:
        if start[:4] == b"RIFF":
            _check_riff(file, size)
        elif start[:4] == EBML:
            _check_matroska(file, size)
        elif start[:6] in (b"GIF87a", b"GIF89a"):
            _check_gif(file)
        elif start[4:8] in MP4_BOXES:
            _check_mp4(file, size)
        else:
            _check_ts(file, size)
    finally:
        file.seek(0)


def check_png(file: BinaryIO) -> None:
    """Raise Unreadable if a chunk of a PNG does not fit its checksum, which Pillow does not ask of pixels.

    Other formats pass. Leaves `file` at its beginning.
    """
    file.seek(0)
    try:
        if file.read(8) != b"\x89PNG\r\n\x1a\n":
            return
        kind = b""
        while kind != b"IEND":
            length, kind = int.from_bytes(file.read(4), "big"), file.read(4)
            if len(kind) < 4:
                raise Unreadable("truncated: it ends without PNG's last chunk")
            check = zlib.crc32(kind)
            while length and (piece := file.read(min(length, 1 << 20))):
                check, length = zlib.crc32(piece, check), length - len(piece)
            if file.read(4) != check.to_bytes(4, "big"):
                raise Unreadable("damaged: a chunk does not fit its checksum")
    finally:
        file.seek(0)


def _declared(what: str, wanted: int, size: int) -> None:
    if wanted > size:
        raise Unreadable(f"truncated: {what} declares {wanted:,} bytes, the file has {size:,}")


def _check_riff(file: BinaryIO, size: int) -> None:
    at = 0
    while at + 12 <= size:
        file.seek(at)
        head = file.read(12)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or length == 0:  # padding at the end; a file that was never finished
            return
        _declared("RIFF", at + length, size)  # some writers count the 8 bytes of the head too
        at += 8 + length + length % 2


def _check_matroska(file: BinaryIO, size: int) -> None:
    file.seek(4)
    header = _vint(file)
    if header is None:
        return
    at = file.tell() + header
    file.seek(at)
    if file.read(4) == SEGMENT and (length := _vint(file)) is not None:
        _declared("the segment", file.tell() + length, size)


def _vint(file: BinaryIO) -> int | None:
    """Matroska's integer of varying length; None if it says "unknown"."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + file.read(more), "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value


def _check_mp4(file: BinaryIO, size: int) -> None:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if kind not in MP4_BOXES or length < 8:  # to the end of the file, or something of another's
            return
        _declared(f"its box {kind.decode()}", at + length, size)
        at += length


def _check_ts(file: BinaryIO, size: int) -> None:
    for length in TS_PACKETS:
        first = 4 if length == 192 else 0
        if size < first + 3 * length:
            continue
        file.seek(0)
        start = file.read(3 * length)
        if all(start[first + packet * length] == SYNC for packet in range(3)):
            if size % length:
                raise Unreadable(f"truncated: it ends {size % length} bytes into a packet of {length}")
            return


def _check_gif(file: BinaryIO) -> None:
    cut = Unreadable("truncated: it ends without GIF's trailer")
    file.seek(10)
    _skip_palette(file, file.read(3)[:1])
    while True:
        match file.read(1):
            case b"\x21":  # extension: a label, then blocks
                file.seek(1, os.SEEK_CUR)
            case b"\x2c":  # image: place and size, flags, palette, code size, then blocks
                _skip_palette(file, file.read(9)[8:])
                file.seek(1, os.SEEK_CUR)
            case b"\x3b":
                return
            case b"":
                raise cut
            case _:
                raise Unreadable("damaged: no GIF block where one should begin")
        while (length := file.read(1)) != b"\x00":
            if not length:
                raise cut
            file.seek(length[0], os.SEEK_CUR)


def _skip_palette(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 0x80:
        file.seek(3 << (flags[0] & 7) + 1, os.SEEK_CUR)
