"""Files from the web to the disk: whole and checked or not at all, going on where an interrupted download stopped."""

import hashlib
import http.client
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

_CHUNK = 1 << 20
_TIMEOUT = 30.0  # seconds without a byte
_TRIES = 5  # in a row without progress
_PAUSE = 1.0  # seconds before the second try, doubled before each next
_BUSY = {408, 429, 500, 502, 503, 504}


class GoneError(Exception):
    """No address will give the file, and why."""


def fetch(urls: Sequence[str], path: Path, *, checksum: str | None = None) -> str:
    """Bring a file to `path` from the first of `urls` that gives it; the address that did.

    It lies in `path`.part until it is whole; the next call goes on with that.

    Args:
        checksum: "sha256:0123...", or another of hashlib's algorithms; None if nobody states it.

    Raises:
        GoneError: no address gives it.
        ValueError: what came has another checksum; it is kept as `path`.wrong.
    """
    part = path.with_name(path.name + ".part")
    reasons = []
    for url in urls:
        try:
            fetch_to(url, part, label=path.name)
        except GoneError as reason:
            reasons.append(f"{urllib.parse.urlsplit(url).hostname}: {reason}")
            continue
        if checksum is not None and not matches(part, checksum):
            algorithm, _, expected = checksum.partition(":")
            aside = path.with_name(path.name + ".wrong")
            found = digest_of(part, algorithm)
            part.replace(aside)
            raise ValueError(
                f"{url} gave another file than published: {algorithm} {found}, expected {expected}; it is kept as "
                f"{aside}, not used"
            )
        part.replace(path)
        return url
    raise GoneError("; ".join(reasons))


def matches(path: Path, checksum: str) -> bool:
    """Whether a file has the checksum "algorithm:hex"."""
    algorithm, _, expected = checksum.partition(":")
    return digest_of(path, algorithm) == expected.lower()


def digest_of(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def fetch_to(url: str, part: Path, *, label: str) -> None:
    """Bring `part` to its full length, going on from what is there, with a progress bar that bears `label`.

    Connections that drop and servers that are busy are tried again, up to five times without progress.

    Raises:
        GoneError: no connection, a refusal, a web page instead of a file, no space.
    """
    tries, pause = 0, _PAUSE
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _receive(url, part, label=label):
                return
            reason = "the connection dropped"
        except urllib.error.HTTPError as error:
            if error.code == 416 and before:
                if _whole_length(error) == before:  # it was complete when the last attempt was cut off
                    _forget_tag(part)
                    return
                part.unlink()  # longer than the file, or of another one
            elif error.code not in _BUSY:
                raise GoneError(f"HTTP {error.code}") from None
            reason = f"HTTP {error.code}"
        except urllib.error.URLError as error:
            raise GoneError(f"no connection, {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            reason = f"{type(error).__name__} {error}".strip()
        progressed = part.exists() and part.stat().st_size > before
        tries, pause = (0, _PAUSE) if progressed else (tries + 1, pause * 2)
        if tries >= _TRIES:
            raise GoneError(f"{reason}, {_TRIES} times in a row")
        time.sleep(pause if not progressed else 0)


def _receive(url: str, part: Path, *, label: str) -> bool:
    """One request; whether `part` is complete after it."""
    tag_file = _tag_file(part)
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "vgen"})
    if start:
        request.add_header("Range", f"bytes={start}-")
        if tag_file.exists():  # without the tag of the first half, two files could end up in one
            request.add_header("If-Range", tag_file.read_text())
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        if response.headers.get_content_type() == "text/html":
            raise GoneError("it answered with a web page")
        if response.status != 206:
            start = 0  # the server sends the file from its beginning, whatever was asked for
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            part.unlink()
            raise OSError("it sent another part than asked for")
        tag = response.headers.get("ETag", "")
        if tag and not tag.startswith("W/"):
            tag_file.write_text(tag)
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        if total is not None and shutil.disk_usage(part.parent).free < total - start:
            raise GoneError(f"{total / 1e9:.1f} GB do not fit on the disk of {part.parent}")
        with (
            part.open("r+b" if start else "wb") as file,
            tqdm(
                total=total,
                initial=start,
                desc=f"fetching {label}",
                unit="B",
                unit_scale=True,
                unit_divisor=1000,
            ) as bar,
        ):
            file.seek(start)
            ended = _copy(response, file, bar)
            received = file.tell()
    if not ended or (total is not None and received < total):
        return False
    _forget_tag(part)
    return True


def _whole_length(refusal: urllib.error.HTTPError) -> int | None:
    """Length of the file, by a server that has no byte beyond it."""
    found = re.fullmatch(r"bytes \*/(\d+)", refusal.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _forget_tag(part: Path) -> None:
    _tag_file(part).unlink(missing_ok=True)


def _copy(response: http.client.HTTPResponse, file: BinaryIO, bar: "tqdm[Any]") -> bool:
    """Write what comes; False if it broke off, as far as the protocol tells."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except http.client.IncompleteRead as error:
            chunk = error.partial
            file.write(chunk)
            return False
        if not chunk:
            return True
        file.write(chunk)
        bar.update(len(chunk))
