"""Arguments whose value Hydra's grammar would take apart, though it means one text."""

import re
from pathlib import Path

from vgen.launch.jobs import quoted as as_text

_OTHER = re.compile(r"[,=()\[\]{}&;#!'\"]")


def quoted(key: str, value: str) -> str:
    """`key=value` for Hydra, with `value` as it is."""
    return f"{key}={as_text(value)}"


def quote_argument(argument: str) -> str:
    """`argument` with quotes where Hydra needs some: paths with commas, brackets and the like, text beyond ASCII, and
    words within a list.
    """
    key, _, value = argument.partition("=")
    if argument.startswith("-") or value[:1] in ("", '"', "'", "{"):
        return argument
    if value[0] == "[":
        return f"{key}={_quote_words(value)}"
    if not value.isascii():  # Hydra's grammar has no place for it
        return quoted(key, value)
    meant = key == "output" or _exists(value)  # of what is to be made nothing exists yet
    return quoted(key, value) if meant and _OTHER.search(value) else argument


def _exists(path: str) -> bool:
    """Whether there is such a file: the folders of a multirun's jobs (`loss=hinge,seed=1`) are meant as they are."""
    try:
        return Path(path).exists()
    except OSError:  # too long to be a path
        return False


def _quote_words(value: str) -> str:
    """`[trainer=gpu,workers=4]` with each `key=value` or path of other characters in it as one text."""
    if not value.endswith("]") or re.search("[\"']", value):
        return value
    # commas within brackets belong to a word
    words = re.findall(r"(?:\[[^\]]*\]|[^,\[\]])+", value[1:-1])

    def is_text(word: str) -> bool:
        return "=" in word or not word.isascii() or (bool(_OTHER.search(word)) and _exists(word.strip()))

    return f"[{','.join(as_text(word.strip()) if is_text(word) else word for word in words)}]"
