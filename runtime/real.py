"""The real world: the system's clock, sockets, worker threads, a durable disk, and faults that never fire."""

import contextlib
import errno
import os
import random
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import outcome
import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    checkpoint_if_cancelled,
    current_task,
    current_trio_token,
    reschedule,
    start_thread_soon,
    wait_task_rescheduled,
)

from runtime.world import World

T = TypeVar("T")

MOST_THREADS = 40  # at work at once
TURN_SECONDS = 0.0001  # after which a thread that waits for the interpreter gets its turn
_FRESH = ".fresh"  # how the name of a file ends while it is being written


def real_world(chance: random.Random | None = None) -> World:
    """The world of a live process; chance is seeded by the operating system unless it is given."""
    return World(
        clock=SystemClock(),
        chance=chance or random.Random(),
        network=SocketNetwork(),
        disk=DurableDisk(),
        threads=WorkerThreads(),
        faults=NoFaults(),
    )


class SystemClock:
    """The operating system's clocks themselves, without a call in between: every order asks them forty times."""

    monotonic_ns = staticmethod(time.monotonic_ns)
    wall_ns = staticmethod(time.time_ns)


class NoFaults:
    """Fault points of life: the code beside them goes wrong by itself."""

    idle = True

    def fires(self, point: str) -> bool:
        """Never."""
        return False


class WorkerThreads:
    """Worker threads of trio, without what trio.to_thread adds to them: half of the way there and back."""

    def __init__(self) -> None:
        self._working = 0
        # Python's 5 ms are what the event loop waits for a thread that computes. And a loop that turns more often than
        # that has the interpreter back before a waiting thread has woken: a commit was seen to take a second so.
        sys.setswitchinterval(TURN_SECONDS)

    async def run(self, work: Callable[[], T], heard: Callable[[T], object] | None = None) -> T:
        """Runs work in a thread and returns its result; once it has begun a cancellation waits for its end."""
        if self._working >= MOST_THREADS:
            result = await trio.to_thread.run_sync(work)  # which waits for a free one of its own
            if heard is not None:
                heard(result)
            return result
        await checkpoint_if_cancelled()
        task, token = current_task(), current_trio_token()

        def hear(result: outcome.Outcome[T]) -> None:
            if heard is not None and isinstance(result, outcome.Value):
                told = outcome.capture(heard, result.value)
                result = told if isinstance(told, outcome.Error) else result
            token.run_sync_soon(reschedule, task, result)  # a moment later: whom `heard` woke goes first

        deliver = partial(reschedule, task) if heard is None else hear
        self._working += 1
        try:
            start_thread_soon(work, lambda result: token.run_sync_soon(deliver, result))
            return await wait_task_rescheduled(_stay)  # type: ignore[no-any-return]
        finally:
            self._working -= 1


class SocketNetwork:
    """TCP, TLS and Unix sockets."""

    async def connect(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> trio.abc.Stream:
        """Opens a stream, through TLS when asked; raises OSError (socket.gaierror, ssl.SSLError)."""
        stream = await trio.open_tcp_stream(host, port)
        return stream if tls is None else await _secured(stream, host, tls)

    async def connect_unix(self, path: Path) -> trio.abc.Stream:
        """Opens a stream to the Unix socket at path; raises OSError when nobody answers there."""
        return await trio.open_unix_socket(path)

    async def listen(self, host: str, port: int) -> list[trio.SocketListener]:
        """Listens on every address of host (port 0 chooses); raises OSError when the address is taken."""
        return await trio.open_tcp_listeners(port, host=host)

    async def listen_unix(self, path: Path) -> "UnixListener":
        """Listens on a new Unix socket of mode 0600; raises FileExistsError when anything is at path."""
        await trio.lowlevel.checkpoint()
        sock = _private_socket(path)
        sock.listen()
        return UnixListener(trio.SocketListener(trio.socket.from_stdlib_socket(sock)), path)


class UnixListener(trio.abc.Listener[trio.SocketStream]):
    """A listening Unix socket that takes its path with it when it closes."""

    def __init__(self, listener: trio.SocketListener, path: Path) -> None:
        self.path = path
        self._listener = listener
        self._identity = _identity(path)

    async def accept(self) -> trio.SocketStream:
        """Waits for the next connection; see trio."""
        return await self._listener.accept()

    async def aclose(self) -> None:
        """Closes the socket and removes its path, unless somebody has put another file there."""
        if _identity(self.path) == self._identity:
            self.path.unlink(missing_ok=True)
        self._identity = None
        await self._listener.aclose()


class DurableDisk:
    """Files that are whole and synced when a call returns; folders are made as needed, for the owner alone."""

    def read(self, path: Path) -> bytes:
        """The bytes of a file; raises FileNotFoundError."""
        return path.read_bytes()

    def write(self, path: Path, data: bytes) -> None:
        """Replaces a file atomically and durably, mode 0600; raises OSError and leaves a whole file."""
        _make_folder(path.parent)
        fresh = path.with_name(f".{path.name}{_FRESH}")
        fresh.unlink(missing_ok=True)  # left over from a crash
        try:
            with _private_file(fresh, os.O_WRONLY | os.O_EXCL) as descriptor:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def append(self, path: Path, data: bytes) -> None:
        """Appends to a file durably; raises OSError, and takes back what was written when the disk is full."""
        _make_folder(path.parent)
        is_new = not path.exists()
        with _private_file(path, os.O_WRONLY | os.O_APPEND) as descriptor:
            size = os.fstat(descriptor).st_size
            try:
                _write_all(descriptor, data)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            os.fsync(descriptor)
        if is_new:
            _sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        """Removes a file durably; a missing one is fine."""
        try:
            path.unlink()
        except FileNotFoundError:
            return
        _sync_folder(path.parent)

    def names(self, folder: Path) -> list[str]:
        """The sorted names in a folder, without our own unfinished files; a missing folder is empty."""
        try:
            names = [path.name for path in folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(name for name in names if not (name.startswith(".") and name.endswith(_FRESH)))

    def database(self, path: Path) -> str:
        """The path itself; a new one is made as an empty file of mode 0600, which sqlite3 would not do."""
        _make_folder(path.parent)
        if not path.exists():
            with _private_file(path, os.O_WRONLY):
                _sync_folder(path.parent)
        return str(path)


def _stay(_: RaiseCancelT) -> Abort:
    """Work in a thread is not called back."""
    return Abort.FAILED


async def _secured(stream: trio.SocketStream, host: str, tls: ssl.SSLContext) -> trio.abc.Stream:
    """The stream after a TLS handshake that the peer passed; an orderly end of TLS is not insisted on."""
    secured = trio.SSLStream(stream, tls, server_hostname=host, https_compatible=True)
    try:
        await secured.do_handshake()
    except BaseException as error:
        await trio.aclose_forcefully(secured)
        if isinstance(error, trio.BrokenResourceError):
            raise _handshake_error(error, host) from error
        raise
    return secured


def _handshake_error(error: trio.BrokenResourceError, host: str) -> OSError:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLError):
        return cause
    return ConnectionResetError(errno.ECONNRESET, f"{host} hung up during the TLS handshake")


def _private_socket(path: Path) -> socket.socket:
    """A socket bound to a new path that from its birth only the owner can connect to."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The umask is the process's: nothing may run between the two calls, and a file that another thread makes
    # just then can only get fewer rights.
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            text = "expected a free path for a Unix socket; remove the file if no daemon owns it"
            raise FileExistsError(errno.EEXIST, text, str(path)) from error
        raise
    finally:
        os.umask(before)
    return sock


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _private_file(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
