"""From a recipe to the files it is about: those the user has, else those that may be downloaded."""

import logging
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from vgen.dataset.arrange import find_videos
from vgen.dataset.recipe import Download, Recipe
from vgen.dataset.records import is_record_file, write_arrays
from vgen.dataset.unpack import is_archive, stem_of, unpack
from vgen.download import GoneError, fetch, matches

log = logging.getLogger(__name__)

UNPACKED = "unpacked"


class NotThere(FileNotFoundError):
    """The files are not there and cannot be fetched; the message has the steps, a line each."""


def datasets_folder() -> Path:
    """$VGEN_DATASETS, else ~/.cache/vgen/datasets."""
    return Path(os.environ.get("VGEN_DATASETS") or "~/.cache/vgen/datasets").expanduser()


def bring(recipe: Recipe, raw: Path, work: Path, *, download: bool) -> Path:
    """The folder that holds the videos of `recipe`: `raw`, or what was unpacked of it in `work`.

    Videos that lie in `raw` are taken as they are. Else archives of the recipe there are unpacked, and those that
    are missing are downloaded first if `download` and the recipe allow it.

    Raises:
        NotThere: there is nothing to take and nothing to download; the message says what to do.
        ValueError: a download or an archive is not what it should be.
    """
    if _is_ready(recipe, raw):
        source = raw
        for file in recipe.files:
            path = raw / file.folder / file.name
            if path.is_file() and not is_archive(path.name):
                _check(path, file.checksum)
    else:
        source = _unpacked(recipe, raw, work, download=download)
    if recipe.records is not None:
        source = write_arrays(recipe.records, source, work / "arrays")
    if next(find_videos(recipe.arrange, source), None) is None:
        raise NotThere(f"no video of it in {source}.\n{recipe.how_to_get('DIR')}")
    return source


def _is_ready(recipe: Recipe, raw: Path) -> bool:
    """Whether there is nothing to unpack."""
    if recipe.records is not None:
        return any(is_record_file(path) for path in raw.rglob("*"))
    return next(find_videos(recipe.arrange, raw), None) is not None


def _unpacked(recipe: Recipe, raw: Path, work: Path, *, download: bool) -> Path:
    archives = _archives(recipe, raw)
    if archives is None:
        if not recipe.files or not download:
            why = "download=false" if recipe.files else "its terms or its place do not allow a download"
            raise NotThere(f"nothing of it in {raw}, and {why}.\n{recipe.how_to_get('DIR')}")
        archives = _download(recipe, raw)
    stated = {raw / file.folder / file.name: file.checksum for file in recipe.files}
    for archive in archives:
        if not is_archive(archive.name):
            _check(archive, stated.get(archive))
            continue
        folder = work / UNPACKED / archive.relative_to(raw).parent / stem_of(archive.name)
        if not folder.exists():
            _check(archive, stated.get(archive))
            log.info("unpacking %s", archive)
            folder.parent.mkdir(parents=True, exist_ok=True)
            unpack(archive, folder)
    return work / UNPACKED if any(is_archive(archive.name) for archive in archives) else raw


def _archives(recipe: Recipe, raw: Path) -> list[Path] | None:
    """The recipe's files in `raw`; those that a list names count too. None if some are missing."""
    if not raw.is_dir():
        return None
    if not recipe.files:  # the user's own download, whatever it is called
        return sorted(path for path in raw.rglob("*") if path.is_file() and is_archive(path.name)) or None
    archives: list[Path] = []
    for file in recipe.files:
        path = raw / file.folder / file.name
        if not path.is_file():
            return None
        more = [_path(raw, file, url) for url in _listed(path)] if file.listing else [path]
        if not all(one.is_file() for one in more):
            return None
        archives += more
    return archives


def _download(recipe: Recipe, raw: Path) -> list[Path]:
    log.info("%s: %s; terms: %s", recipe.title, recipe.page, recipe.licence)
    archives: list[Path] = []
    for file in recipe.files:
        path = _fetch(recipe, file.url, raw / file.folder / file.name, file.checksum)
        if file.listing:
            archives += [_fetch(recipe, url, _path(raw, file, url), None) for url in _listed(path)]
        else:
            archives.append(path)
    return archives


def _fetch(recipe: Recipe, url: str, path: Path, checksum: str | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.is_file():
            return path
        try:
            fetch([url], path, checksum=checksum)
        except GoneError as error:
            raise NotThere(f"{url} cannot be downloaded ({error}).\n{recipe.how_to_get('DIR')}") from None
    return path


def _check(path: Path, checksum: str | None) -> None:
    if checksum is not None and not matches(path, checksum):
        raise ValueError(f"{path} is not the published file ({checksum}): remove it to download it again")


def _listed(path: Path) -> list[str]:
    """The addresses in a list. ValueError if it holds anything else."""
    urls = path.read_text(encoding="utf-8", errors="replace").split()
    wrong = next((url for url in urls if urlsplit(url).scheme not in ("http", "https")), None)
    if wrong is not None or not urls:
        raise ValueError(f"{path} is no list of addresses ({(wrong or 'it is empty')[:60]!r})")
    return urls


def _path(raw: Path, file: Download, url: str) -> Path:
    name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
    if name in ("", ".", "..") or "\0" in name:
        raise ValueError(f"{url}: no name for a file")
    return raw / file.folder / name
