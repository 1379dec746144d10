"""Which stretch of a time line each level of a network needs that doubles it level by level, without padding."""

from typing import NamedTuple


class Window(NamedTuple):
    """Positions first, ..., end - 1 of one level; negative ones lie before the result."""

    first: int
    end: int

    def within(self, wider: "Window") -> slice:
        """Where it lies in a tensor that holds `wider`."""
        return slice(self.first - wider.first, self.end - wider.first)

    def joined(self, other: "Window") -> "Window":
        return Window(min(self.first, other.first), max(self.end, other.end))

    def grown(self, by: int) -> "Window":
        return Window(self.first - by, self.end + by)


def before_doubling(window: Window) -> Window:
    """What `style_video_block.double_time` needs to give `window`: half as many, and one more at the ends."""
    return Window((window.first + 1) // 2 - 1, window.end // 2 + 1)


def after_doubling(window: Window) -> Window:
    """What `double_time` gives of `window`."""
    return Window(2 * window.first + 1, 2 * window.end - 1)


def before_halving(window: Window, taps: int) -> Window:
    """What a filter of `taps` (even), centred and followed by dropping every other result, needs to give `window`."""
    side = (taps - 2) // 2
    return Window(2 * window.first - side, 2 * window.end + side)
