"""The furniture of the process, each piece by itself: lock, log, words for the service manager, limits, arming, places."""

import os
import socket
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers import codec
from config.settings import BrokerSettings, SessionRisk, SessionSettings, UnsafePlace
from runtime.wire.redaction import Redactor
from sessions.control.api.socket import clear_place, is_owner
from sessions.control.daemon import notify
from sessions.control.daemon.arming import Arming, Disarming, folded
from sessions.control.daemon.hardening import refuse_exposed_files
from sessions.control.daemon.lock import LOCK_FILE, AlreadyRunning, sole_owner
from sessions.control.daemon.log_file import LogFile
from sessions.control.daemon.notify import ServiceManager
from sessions.control.daemon.risk_limits import UNLIMITED, session_limits
from sessions.journal import Entry, Row

LIVE = BrokerSettings(kind="tradovate", accounts=("A1",), environment="live")
ARMED = Arming("tv", "me", 1_000, "1.0", "tradovate", "main", ("A1", "A2"))


# Lock.


def test_O06_a_held_folder_is_refused_with_its_holder_and_free_again_afterwards(tmp_path: Path) -> None:
    with sole_owner(tmp_path), pytest.raises(AlreadyRunning) as refused, sole_owner(tmp_path):
        pass
    assert (refused.value.pid, refused.value.folder) == (os.getpid(), tmp_path)
    with sole_owner(tmp_path):
        pass


@pytest.mark.parametrize(
    "left", [b"", b"1\n", b"no number\n", str(os.getpid()).encode()], ids=["nothing", "init", "words", "ours"]
)
def test_O06_what_a_dead_daemon_left_in_the_lock_keeps_nobody_out(tmp_path: Path, left: bytes) -> None:
    (tmp_path / LOCK_FILE).write_bytes(left)
    with sole_owner(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_the_second_of_two_folders_being_held_lets_go_of_the_first(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with sole_owner(two), pytest.raises(AlreadyRunning), sole_owner(one, two):
        pass
    with sole_owner(one, two):
        pass


def test_a_link_in_the_place_of_the_lock_is_refused_and_its_target_untouched(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / LOCK_FILE).symlink_to(target)
    with pytest.raises(UnsafePlace), sole_owner(tmp_path):
        pass
    assert target.read_text() == "precious"


# Log.


def log_file(folder: Path, *, size: int = 1_000, files: int = 2, redactor: Redactor | None = None) -> LogFile:
    return LogFile(folder / "logs", redactor or Redactor(), size=size, files=files)


def test_the_log_is_bounded_rotated_and_for_its_owner_alone(tmp_path: Path) -> None:
    log = log_file(tmp_path)
    for number in range(200):
        log.write(f"line {number:04} {'x' * 40}\n")
    log.close()
    found = sorted((tmp_path / "logs").iterdir())
    assert [path.name for path in found] == ["pitboss.log", "pitboss.log.1", "pitboss.log.2"]
    assert all(path.stat().st_size <= 1_000 and stat.S_IMODE(path.stat().st_mode) == 0o600 for path in found)
    assert found[0].read_text().splitlines()[-1].startswith("line 0199")
    lines = [line for path in reversed(found) for line in path.read_text().splitlines()]
    numbers = [int(line.split()[1]) for line in lines]
    assert numbers == list(range(numbers[0], 200)), "no line is lost or moved at a rotation"


def test_S09_no_secret_and_no_second_line_gets_into_the_log_or_to_its_listeners(tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.learn("hunter2-hunter2")
    log, heard = log_file(tmp_path, redactor=redactor), list[str]()
    leave = log.listen(heard.append)
    log.write("login with hunter2-")
    log.write("hunter2 \x1b[2J\rfine\n")
    leave()
    log.write("after\n")
    log.close()
    text = log.path.read_text()
    assert "hunter2" not in text + "".join(heard)
    assert "\x1b" not in text
    assert text.count("\n") == 2
    assert len(heard) == 1


def test_a_log_that_the_disk_does_not_take_is_counted_and_stops_nobody(tmp_path: Path) -> None:
    log = log_file(tmp_path)
    os.close(log._handle)
    log._handle = os.open("/dev/full", os.O_WRONLY)
    log.write("one\ntwo\n")
    assert log.dropped == 2
    assert list(log.recent) == ["one", "two"]
    log.close()


# The service manager.


def test_the_words_for_the_service_manager_are_lines_of_its_protocol() -> None:
    assert notify.ready("3 sessions\nREADY=0") == "READY=1\nSTATUS=3 sessions READY=0"
    assert notify.stopping("signal SIGTERM") == "STOPPING=1\nSTATUS=signal SIGTERM"
    assert notify.reloading(5_000) == "RELOADING=1\nMONOTONIC_USEC=5"


@pytest.mark.parametrize(
    ("environ", "told", "watchdog"),
    [
        ({}, None, None),
        ({"NOTIFY_SOCKET": "relative"}, None, None),
        ({"NOTIFY_SOCKET": "/run/n"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "@abstract", "WATCHDOG_USEC": "2000000"}, "@abstract", 2.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "8"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "soon"}, "/run/n", None),
        ({"WATCHDOG_USEC": "2000000"}, None, None),
    ],
)
def test_the_service_manager_is_known_by_its_environment(
    environ: dict[str, str], told: str | None, watchdog: float | None
) -> None:
    manager = ServiceManager.of(environ, 7)
    assert (manager.address, manager.watchdog_s) == (told, watchdog)


def test_a_datagram_reaches_the_manager_and_one_that_is_gone_stops_nobody() -> None:
    name = f"@pitboss-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:])
        assert ServiceManager(name, None).tell(notify.READY)
        assert sock.recv(100) == b"READY=1"
    assert not ServiceManager(name, None).tell(notify.READY)
    assert not ServiceManager(None, None).tell(notify.READY)


# Limits.


def session(**risk: object) -> SessionSettings:
    made = SessionRisk(**risk)  # type: ignore[arg-type]  # by name
    return SessionSettings(broker="paper", account="a", symbols=("ES",), strategy="m:C", risk=made)


def test_a_limit_of_the_configuration_reaches_the_gate_and_one_not_set_limits_nothing() -> None:
    limits = session_limits(session(max_order_quantity=Decimal(2), max_daily_loss=Decimal(7), order_burst=3))
    assert (limits.order_quantity, limits.daily_loss, limits.orders_per_second) == (Decimal(2), Decimal(7), 3)
    assert (limits.position, limits.symbols) == (UNLIMITED, ("ES",))
    stated = session_limits(session(loss_calendar="cme_equity", price_band_ticks=40))
    assert (stated.loss_calendar, stated.price_band_ticks) == ("cme_equity", 40)


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_hours_cover_exactly_the_minutes_of_their_span_also_past_midnight(start: int, end: int, minute: int) -> None:
    text = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02} UTC"
    limits = session_limits(session(hours=text))
    wednesday = 1_794_355_200_000_000_000
    inside = start <= minute < end if start < end else minute >= start or minute < end
    assert limits.covers(wednesday + minute * 60_000_000_000) == inside


# Arming.


@pytest.mark.parametrize(
    ("change", "version", "now_ns", "covered"),
    [
        ({}, "1.0", 999, True),
        ({}, "1.0", 1_000, False),
        ({}, "1.1", 999, False),
        ({"login": "other"}, "1.0", 999, False),
        ({"accounts": ("A1", "A3")}, "1.0", 999, False),
        ({"accounts": ("A2",)}, "1.0", 999, True),
    ],
)
def test_S42_an_arming_covers_what_it_was_given_for_and_nothing_else(
    change: dict[str, Any], version: str, now_ns: int, covered: bool
) -> None:
    assert ARMED.covers(attrs.evolve(LIVE, **change), version, now_ns) is covered


def test_S42_the_last_word_on_a_broker_counts() -> None:
    def row(kind: str, record: object) -> Row:
        return Row(1, b"", b"", Entry(kind, "arming", "tv", codec.encode(record), 0, 0))

    armed, disarmed = row("arming.armed", ARMED), row("arming.disarmed", Disarming("tv", "me"))
    assert folded([armed]) == {"tv": ARMED}
    assert folded([armed, disarmed]) == {}
    assert folded([armed, disarmed, armed]) == {"tv": ARMED}


# Places.


def test_S14_only_our_own_dead_socket_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "s"
    clear_place(path)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        with pytest.raises(UnsafePlace, match="one that answers"):
            clear_place(path)
    clear_place(path)
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(UnsafePlace):
        clear_place(path)
    path.rename(tmp_path / "target")
    path.symlink_to(tmp_path / "target")
    with pytest.raises(UnsafePlace, match="a link"):
        clear_place(path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("extensions", "let_in"),
    [
        ({}, False),
        ({"peercred": {"uid": 7}}, True),
        ({"peercred": {"uid": 0}}, True),
        ({"peercred": {"uid": 8}}, False),
    ],
)
def test_S14_the_kernel_decides_who_is_at_the_other_end(extensions: dict[str, dict[str, int]], let_in: bool) -> None:
    assert is_owner({"extensions": extensions}, 7) is let_in


def test_D17_a_file_that_others_can_read_is_named_with_its_remedy(tmp_path: Path) -> None:
    deep = tmp_path / "journal"
    deep.mkdir(mode=0o700)
    (deep / "db").touch(mode=0o600)
    refuse_exposed_files([tmp_path])
    (deep / "db").chmod(0o640)
    with pytest.raises(UnsafePlace, match="chmod 600"):
        refuse_exposed_files([tmp_path])
    refuse_exposed_files([tmp_path], spared=frozenset({"db"}))
