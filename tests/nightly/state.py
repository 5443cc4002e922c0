"""What of a night is done, in a file that survives its end."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import attrs
import msgspec

TAIL = 30  # lines of a failed command that are kept


class OtherNight(ValueError):
    """A state file that belongs to another commit or size."""


@attrs.frozen(kw_only=True)
class Night:
    """What is done, and of what."""

    commit: str
    scale: float
    hours: float


@attrs.frozen(kw_only=True)
class Done:
    """How one command ended; `figures` are the sums of what it counted."""

    ok: bool
    seconds: float
    tail: tuple[str, ...] = ()
    figures: Mapping[str, float] = attrs.field(factory=dict)


@attrs.frozen
class _Kept:
    night: Night
    done: dict[str, Done]


class State:
    """The file; what is noted is in it before `note` returns."""

    def __init__(self, path: Path, night: Night, *, fresh: bool = False) -> None:
        """Raises OtherNight for the file of another one, and msgspec.MsgspecError for a file that is none."""
        self.done: dict[str, Done] = {}
        self._path = path
        self._night = night
        if path.exists() and not fresh:
            kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
            if kept.night != night:
                raise OtherNight(
                    f"{path}: expected a night of {night}, got one of {kept.night}; nothing was run; name another "
                    "--state, or say --fresh to forget it"
                )
            self.done = kept.done

    def note(self, name: str, done: Done) -> None:
        """Keeps how a command ended."""
        self.done[name] = done
        beside = self._path.with_suffix(".part")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(_Kept(self._night, self.done)), indent=1))
        os.replace(beside, self._path)  # noqa: PTH105 - at once or not at all

    def open(self, name: str) -> bool:
        """Whether a command is still to be run, or to be run again."""
        return name not in self.done or not self.done[name].ok

    def figures(self) -> Counter[str]:
        """The sums over all commands."""
        total: Counter[str] = Counter()
        for one in self.done.values():
            total.update(one.figures)
        return total
