"""The commands, called in this process as a user types them."""

import pytest

from vgen.cli.main import main

TINY = [
    "debug=fast", "clip.size=16", "generator.synthesis.base_channels=4", "discriminator.base_channels=4",
    "protocol.count=6", "data.videos=12",
]  # fmt: skip


def vgen(*arguments: str) -> None:
    main(list(arguments))


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a failing command prints."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as raised:
        vgen(*arguments)
    assert raised.value.code not in (0, None)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("vgen: error: ")]
    assert len(lines) == 1
    return lines[0]
