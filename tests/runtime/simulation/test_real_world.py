"""The real world keeps what the seams promise: sockets, a private Unix socket, durable files."""

import contextlib
import datetime as dt
import errno
import ipaddress
import os
import random
import socket
import sqlite3
import ssl
import stat
import sys
import threading
import time
from pathlib import Path

import pytest
import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime.real import MOST_THREADS, TURN_SECONDS, DurableDisk, SocketNetwork, WorkerThreads, real_world
from runtime.world import Clock, Disk, Faults, Network, Threads


def port_of(listener: object) -> int:
    """The port of a TCP listener."""
    assert isinstance(listener, trio.SocketListener)
    return int(listener.socket.getsockname()[1])


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def network() -> SocketNetwork:
    return SocketNetwork()


@pytest.fixture
def disk() -> DurableDisk:
    return DurableDisk()


async def echo(stream: trio.abc.Stream) -> None:
    """Sends back what arrives."""
    async with stream:
        async for data in stream:
            await stream.send_all(data)


def test_the_real_world_has_every_seam() -> None:
    world = real_world(random.Random(3))
    assert isinstance(world.clock, Clock)
    assert isinstance(world.network, Network)
    assert isinstance(world.disk, Disk)
    assert isinstance(world.threads, Threads)
    assert isinstance(world.faults, Faults)
    assert world.chance.random() == random.Random(3).random()
    assert real_world().chance.random() != real_world().chance.random()


def test_the_clocks_are_those_of_the_system() -> None:
    clock = real_world().clock
    assert abs(clock.wall_ns() - time.time_ns()) < 10**9
    assert clock.monotonic_ns() <= time.monotonic_ns() <= clock.monotonic_ns()


def test_faults_never_fire() -> None:
    faults = real_world().faults
    assert not any(faults.fires("network.reset") for _ in range(1000))


async def test_work_that_raises_raises_where_it_was_asked_for() -> None:
    def fail() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await WorkerThreads().run(fail)


async def test_work_that_has_begun_is_waited_for_and_a_cancelled_task_begins_none() -> None:
    threads, done = WorkerThreads(), threading.Event()
    with trio.CancelScope() as scope:
        scope.cancel()
        await threads.run(done.set)
    assert not done.is_set()
    begun, go_on = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def work() -> str:
        token.run_sync_soon(begun.set)
        go_on.wait()
        return "done"

    async def cancel_soon() -> None:
        await begun.wait()
        scope.cancel()
        go_on.set()

    results = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancel_soon)
        with trio.CancelScope() as scope:
            results.append(await threads.run(work))
    assert results == ["done"]


async def test_what_hears_a_result_wakes_others_before_the_caller_and_hears_no_error() -> None:
    threads, order = WorkerThreads(), list[str]()

    async def wait(event: trio.Event) -> None:
        await event.wait()
        order.append("woken")

    async def wake() -> None:
        event = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, event)
            await trio.testing.wait_all_tasks_blocked()
            assert await threads.run(lambda: 42, lambda _: event.set()) == 42
            order.append("caller")

    for _ in range(20):  # tasks that wake together go in any order
        await wake()
    assert order == ["woken", "caller"] * 20
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0, lambda _: order.clear())
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 0, lambda zero: 1 // zero)
    assert len(order) == 40


def test_threads_and_the_event_loop_take_turns_sooner_than_python_has_them() -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)
        WorkerThreads()
        assert sys.getswitchinterval() == pytest.approx(TURN_SECONDS)
    finally:
        sys.setswitchinterval(before)


async def test_more_work_than_there_are_threads_is_done_all_the_same() -> None:
    threads, counted = WorkerThreads(), []

    async def one(number: int) -> None:
        counted.append(await threads.run(lambda: number))

    async with trio.open_nursery() as nursery:
        for number in range(3 * MOST_THREADS):
            nursery.start_soon(one, number)
    assert sorted(counted) == list(range(3 * MOST_THREADS))


async def test_work_runs_in_another_thread() -> None:
    assert await real_world().threads.run(threading.get_ident) != threading.get_ident()


# Sockets.


async def test_bytes_go_over_tcp(network: SocketNetwork) -> None:
    async with trio.open_nursery() as nursery:
        listeners = await network.listen("127.0.0.1", 0)
        nursery.start_soon(trio.serve_listeners, echo, listeners)
        async with await network.connect("127.0.0.1", port_of(listeners[0])) as stream:
            await stream.send_all(b"hello")
            assert await stream.receive_some() == b"hello"
        nursery.cancel_scope.cancel()


async def test_f05_nobody_listening_is_an_os_error(network: SocketNetwork) -> None:
    (listener,) = await network.listen("127.0.0.1", 0)
    port = port_of(listener)
    await listener.aclose()
    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        await network.connect("127.0.0.1", port)


async def test_an_address_in_use_is_an_os_error(network: SocketNetwork) -> None:
    (listener,) = await network.listen("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        await network.listen("127.0.0.1", port_of(listener))
    await listener.aclose()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a self-signed certificate for 127.0.0.1 in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def secure_port(nursery: trio.Nursery, network: SocketNetwork, certificate: Path) -> int:
    """The port of an echo behind TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def serve(stream: trio.abc.Stream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):  # the client may not like the certificate
            await echo(trio.SSLStream(stream, context, server_side=True, https_compatible=True))

    listeners = await network.listen("127.0.0.1", 0)
    nursery.start_soon(trio.serve_listeners, serve, listeners)
    return port_of(listeners[0])


async def test_tls_is_verified_and_done_when_connect_returns(network: SocketNetwork, certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    async with trio.open_nursery() as nursery:
        port = await secure_port(nursery, network, certificate)
        async with await network.connect("127.0.0.1", port, tls=trusting) as stream:
            assert isinstance(stream, trio.SSLStream)
            await stream.send_all(b"secret")
            assert await stream.receive_some() == b"secret"
        nursery.cancel_scope.cancel()


async def test_f05_a_certificate_that_nobody_vouches_for_is_an_os_error(
    network: SocketNetwork, certificate: Path
) -> None:
    async with trio.open_nursery() as nursery:
        port = await secure_port(nursery, network, certificate)
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            await network.connect("127.0.0.1", port, tls=ssl.create_default_context())
        assert isinstance(caught.value, OSError)
        nursery.cancel_scope.cancel()


async def test_f05_a_peer_that_hangs_up_during_the_handshake_is_an_os_error(network: SocketNetwork) -> None:
    async with trio.open_nursery() as nursery:
        (listener,) = await network.listen("127.0.0.1", 0)

        async def hang_up() -> None:
            stream = await listener.accept()
            await stream.receive_some()
            await stream.aclose()

        nursery.start_soon(hang_up)
        with pytest.raises(OSError, match=r"TLS|EOF"):
            await network.connect("127.0.0.1", port_of(listener), tls=ssl.create_default_context())
    await listener.aclose()


# Unix sockets.


async def test_a_unix_socket_is_private_from_its_birth_and_the_umask_is_restored(
    network: SocketNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "control.sock"
    before = os.umask(0)
    try:
        async with await network.listen_unix(path) as listener:
            assert mode(path) == 0o600
            client = await network.connect_unix(path)
            server = await listener.accept()
            await client.send_all(b"status")
            assert await server.receive_some() == b"status"
            await client.aclose()
            await server.aclose()
    finally:
        assert os.umask(before) == 0
    assert not path.exists()


@pytest.mark.parametrize("kind", ["file", "socket", "dangling link"])
async def test_a_unix_path_that_is_taken_is_refused_and_left_alone(
    network: SocketNetwork, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "control.sock"
    match kind:
        case "file":
            path.write_text("precious")
        case "socket":
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(str(path))
        case _:
            path.symlink_to(tmp_path / "nowhere")
    before = path.lstat().st_ino
    with pytest.raises(FileExistsError, match=r"control\.sock") as caught:
        await network.listen_unix(path)
    assert caught.value.filename == str(path)
    assert path.lstat().st_ino == before


async def test_closing_does_not_remove_the_socket_of_a_successor(network: SocketNetwork, tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    old = await network.listen_unix(path)
    path.unlink()
    new = await network.listen_unix(path)
    await old.aclose()
    assert path.exists()
    (tmp_path / "same inode").hardlink_to(path)
    await new.aclose()
    assert not path.exists()
    (tmp_path / "same inode").rename(path)
    await new.aclose()
    assert path.exists()


async def test_nobody_at_a_unix_path_is_an_os_error(network: SocketNetwork, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await network.connect_unix(tmp_path / "nobody.sock")


# The disk.


def test_files_and_folders_are_for_the_owner_alone(disk: DurableDisk, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        disk.write(tmp_path / "a/b/vault", b"secret")
        disk.append(tmp_path / "a/b/log", b"line")
        database = disk.database(tmp_path / "a/b/journal.db")
    finally:
        os.umask(before)
    assert {mode(tmp_path / "a/b" / name) for name in disk.names(tmp_path / "a/b")} == {0o600}
    assert mode(tmp_path / "a") == mode(tmp_path / "a/b") == 0o700
    connection = sqlite3.connect(database, uri=True)
    connection.execute("pragma journal_mode=wal").fetchone()
    connection.execute("create table orders (id text)")
    assert {mode(path) for path in (tmp_path / "a/b").iterdir()} == {0o600}
    connection.close()
    assert disk.database(tmp_path / "a/b/journal.db") == database


def test_files_are_written_appended_listed_and_removed(disk: DurableDisk, tmp_path: Path) -> None:
    file = tmp_path / "vault"
    disk.write(file, b"one")
    disk.write(file, b"two")
    disk.append(file, b"!")
    assert disk.read(file) == b"two!"
    disk.write(tmp_path / "audit", b"")
    assert disk.names(tmp_path) == ["audit", "vault"]
    disk.remove(file)
    disk.remove(file)
    assert disk.names(tmp_path) == ["audit"]
    assert disk.names(tmp_path / "nowhere") == []
    with pytest.raises(FileNotFoundError, match="vault"):
        disk.read(file)


def test_f29_a_write_syncs_the_file_before_it_takes_its_place_and_the_folder_after(
    disk: DurableDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vault"
    disk.write(file, b"old")
    steps: list[tuple[str, bytes]] = []
    real_sync = os.fsync

    def sync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append((kind, file.read_bytes()))
        real_sync(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    disk.write(file, b"new")
    assert steps == [("file", b"old"), ("folder", b"new")]
    steps.clear()
    disk.append(file, b"!")
    assert steps == [("file", b"new!")]
    steps.clear()
    disk.append(tmp_path / "log", b"first")
    assert [kind for kind, _ in steps] == ["file", "folder"]


def failing(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_f24_f25_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    disk: DurableDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    file = tmp_path / "vault"
    disk.write(file, b"old")

    def fail(*args: object) -> int:
        raise failing(errno.ENOSPC)

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"):
        disk.write(file, b"new")
    monkeypatch.undo()
    assert disk.read(file) == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["vault"]


def test_f24_an_append_to_a_full_disk_takes_back_the_part_that_was_written(
    disk: DurableDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"
    disk.append(file, b"whole\n")
    real_write = os.write

    def write_a_bit(descriptor: int, data: memoryview) -> int:
        if len(data) < 8:
            raise failing(errno.ENOSPC)
        return real_write(descriptor, data[:3])

    monkeypatch.setattr(os, "write", write_a_bit)
    with pytest.raises(OSError, match="No space"):
        disk.append(file, b"half a line\n")
    assert disk.read(file) == b"whole\n"


def test_f28_what_a_killed_write_left_is_invisible_and_in_nobodys_way(disk: DurableDisk, tmp_path: Path) -> None:
    file = tmp_path / "vault"
    (tmp_path / ".vault.fresh").write_bytes(b"half")
    assert disk.names(tmp_path) == []
    disk.write(file, b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["vault"]
