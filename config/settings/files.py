"""Configuration files from the disk: only such as their owner alone can read and change.

A link is followed when it belongs to us or to root; what it leads to has to be as safe as a file itself. The folder
around either must not let others exchange the file.
"""

import errno
import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from config.reading import ConfigError, Problem
from config.settings.layers import Source

_MOST_BYTES = 1 << 20


def read_sources(paths: Iterable[Path]) -> tuple[Source, ...]:
    """The text of every file; raises ConfigError with the problems of all that cannot be used."""
    sources: list[Source] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            sources.append(read_source(path))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(sources)


def read_source(path: Path) -> Source:
    """The text of a file; raises ConfigError when it is missing, unsafe, too long or no text."""
    try:
        real = Path(os.path.realpath(path, strict=True))
        found = [*_unsafe_ways(path), *_unsafe_folder(real.parent)]
        if found:
            raise _refused(path, *found[0])
        return Source(str(path), _text(path, _bytes(path, real)))
    except OSError as error:
        raise _refused(path, "a file that can be read", (error.strerror or str(error)).lower()) from error


def _refused(path: Path, expected: str, got: str) -> ConfigError:
    return ConfigError((Problem(str(path), None, "", expected, got),))


def _unsafe_ways(path: Path) -> Iterator[tuple[str, str]]:
    """What is wrong with the links on the way to the file."""
    for _ in range(40):  # realpath has refused a ring of links; this ends one that is made meanwhile
        if not path.is_symlink():
            return
        owner = path.lstat().st_uid
        if owner not in _trusted():
            yield "a link of its reader's own or of root", f"a link of user {owner}"
        yield from _unsafe_folder(path.parent)
        path = path.parent / path.readlink()


def _unsafe_folder(folder: Path) -> Iterator[tuple[str, str]]:
    """What is wrong with a folder: others can put another file in the place of ours."""
    found = folder.stat()
    open_to_others = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
    if open_to_others:
        yield (
            f"a folder that only its owner can change; run: chmod go-w {shlex.quote(str(folder))}",
            f"mode {stat.S_IMODE(found.st_mode):04o} of {folder}",
        )
    if found.st_uid not in _trusted():
        yield "a folder of its reader's own or of root", f"{folder} of user {found.st_uid}"


def _trusted() -> frozenset[int]:
    return frozenset({0, os.geteuid()})


def _bytes(path: Path, real: Path) -> bytes:
    """What is in the file that was checked: it is opened once and every check is made on what was opened."""
    try:
        handle = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(path, "a file that stays in its place", "one that was exchanged for a link") from error
        raise
    try:
        _check(path, os.fstat(handle))
        with open(handle, "rb", closefd=False) as file:
            data = file.read(_MOST_BYTES + 1)
    finally:
        os.close(handle)
    if len(data) > _MOST_BYTES:
        raise _refused(path, f"at most {_MOST_BYTES} bytes", "more")
    return data


def _check(path: Path, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "a regular file", "a folder, device or pipe")
    if found.st_uid not in _trusted():
        raise _refused(path, "a file of its reader's own or of root", f"a file of user {found.st_uid}")
    if mode & 0o077:
        remedy = f"run: chmod 600 {shlex.quote(str(path))}"
        raise _refused(path, f"a file that only its owner can read and write; {remedy}", f"mode {mode:04o}")


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(str(path), line, "", "UTF-8 text", f"the byte 0x{data[error.start]:02x}")
        raise ConfigError((problem,)) from error
