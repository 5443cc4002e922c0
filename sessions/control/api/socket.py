"""The place of the control socket: a file that nobody else can put there, take away, or speak through."""

import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.settings import UnsafePlace


def clear_place(path: Path) -> None:
    """Makes room for a new socket; raises UnsafePlace for anything there but our own dead one.

    Whoever calls holds the daemon's lock, so a socket of ours at this place is one that a killed daemon left.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise UnsafePlace(path, "no file, or our own old socket", _kind(found), "remove it and start again")
    if _answers(path):
        raise UnsafePlace(path, "a socket that nobody serves", "one that answers", "end the process that serves it")
    path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(str(path))
        except OSError:
            return False
        return True


def is_owner(scope: Mapping[str, Any], uid: int) -> bool:
    """Whether the kernel says that the one at the other end is this user, or root."""
    peer = scope.get("extensions", {}).get("peercred")
    return peer is not None and peer.get("uid") in (uid, 0)


def _kind(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "a link"
    return f"a socket of user {found.st_uid}" if stat.S_ISSOCK(found.st_mode) else "another kind of file"
