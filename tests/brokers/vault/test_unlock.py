"""S07: where master keys come from, in which order, and which keyrings are refused by name."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from keyring.backends import chainer, fail, null

from brokers.vault.book import Lock
from brokers.vault.errors import FileExposed, KeyringRefused, NoMasterKey, SourceUnavailable, VaultError, VaultLocked
from brokers.vault.keyring_source import SERVICE, Backend, KeyringSource, system_keyring
from brokers.vault.private import anybody, refuse_exposed
from brokers.vault.sealing import to_text
from brokers.vault.unlock import (
    KeyFileSource,
    Keyholder,
    PassphraseSource,
    new_key,
    secret_file,
    standard_sources,
)
from runtime.simulation import SimulatedDisk
from runtime.wire.secret import Secret
from tests.brokers.vault.kit import CANARY, FILE, filled, key_file, name, opened, passphrase, seeded


class Ring:
    """A keyring in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class Forgetful(Ring):
    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class Broken(Ring):
    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError(CANARY)

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(password)


def named(module: str, qualname: str, base: type = Ring) -> Backend:
    """A backend whose class says that it comes from there."""
    ring: Backend = type(qualname, (base,), {"__module__": module})()
    return ring


def source(ring: Backend, deadline_seconds: float = 30) -> KeyringSource:
    return KeyringSource(lambda: ring, deadline_seconds)


NULL: Backend = null.Keyring()  # type: ignore[no-untyped-call]  # the library's constructors have no types
FAIL: Backend = fail.Keyring()  # type: ignore[no-untyped-call]  # the same


# The keyring.


def test_a_key_in_the_keyring_opens_the_vault_again() -> None:
    disk, ring = SimulatedDisk(), Ring()
    data = filled(disk, source(ring))
    assert b'"source":"keyring"' in data
    ((service, _),) = ring.kept
    assert service == SERVICE
    assert opened(disk, source(ring)).plain(name("one")) == CANARY.encode()


def test_each_key_in_the_keyring_has_an_entry_of_its_own() -> None:
    ring = Ring()
    entropy = seeded()
    made = {new_key(source(ring), entropy).lock.key for _ in range(20)}
    assert len(made) == len(ring.kept) == 20


def test_s08_a_rotation_within_the_keyring_drops_the_old_entry_once_the_new_one_is_in_use() -> None:
    disk, ring = SimulatedDisk(), Ring()
    filled(disk, source(ring))
    (old,) = ring.kept
    vault = opened(disk, source(ring), entropy=seeded(1))
    vault.adopt(source(ring), new_key(source(ring), seeded(2)))
    assert len(ring.kept) == 1
    assert old not in ring.kept
    assert opened(disk, source(ring)).plain(name("one")) == CANARY.encode()


def test_s08_an_old_entry_that_cannot_be_dropped_does_not_undo_a_rotation() -> None:
    disk, ring = SimulatedDisk(), Ring()
    filled(disk, source(ring))
    vault = opened(disk, source(ring))
    ring.kept.clear()  # so that the deletion raises
    assert vault.adopt(key_file(), new_key(key_file(), seeded(2))) == 2
    assert opened(disk, key_file()).plain(name("one")) == CANARY.encode()


def test_s03_an_entry_that_is_gone_or_is_no_key_is_refused_as_a_wrong_key_is() -> None:
    disk, ring = SimulatedDisk(), Ring()
    filled(disk, source(ring))
    (entry,) = ring.kept
    for kept in ({}, {entry: "no key"}, {entry: to_text(bytes(32))}):
        ring.kept = kept
        with pytest.raises(VaultLocked) as caught:
            opened(disk, source(ring))
        assert str(caught.value) == str(VaultLocked(FILE))


@pytest.mark.parametrize(
    ("module", "qualname"),
    [
        ("keyrings.alt.file", "PlaintextKeyring"),
        ("keyrings.alt.pyfs", "PlaintextKeyring"),
        ("keyring.backends.null", "Keyring"),
        ("somebody.elses", "MyPlainTextBackend"),
    ],
)
def test_s07_backends_in_the_clear_and_null_are_refused_by_name(module: str, qualname: str) -> None:
    ring = named(module, qualname)
    with pytest.raises(KeyringRefused, match="nothing was changed") as caught:
        source(ring).make("id", seeded())
    assert caught.value.backend == f"{module}.{qualname}"
    assert f"{module}.{qualname}" in str(caught.value)
    assert ring.kept == {}  # type: ignore[attr-defined]  # it is a Ring


def test_s07_a_subclass_of_what_is_refused_is_refused() -> None:
    plain = type(named("keyrings.alt.file", "PlaintextKeyring"))
    with pytest.raises(KeyringRefused):
        source(named("mine", "Better", plain)).make("id", seeded())


def test_s07_a_backend_that_is_asked_for_is_refused_before_it_is_loaded() -> None:
    def never() -> Backend:
        raise AssertionError("loaded")

    with pytest.raises(KeyringRefused, match="in the clear"):
        KeyringSource(never, configured="keyrings.alt.file.PlaintextKeyring").make("id", seeded())
    with pytest.raises(KeyringRefused, match="keeps nothing"):
        KeyringSource(never, configured="keyring.backends.null.Keyring").make("id", seeded())


def test_s07_a_refused_keyring_is_not_passed_over_for_the_next_source() -> None:
    holder = Keyholder([source(NULL), passphrase()])
    with pytest.raises(KeyringRefused):
        holder.make(seeded())


def test_s07_a_keyring_that_does_not_load_is_refused_with_its_name() -> None:
    def missing() -> Backend:
        raise ModuleNotFoundError("No module named 'gone'")

    with pytest.raises(KeyringRefused, match=r"gone.Keyring, which does not load \(ModuleNotFoundError\)"):
        KeyringSource(missing, configured="gone.Keyring").make("id", seeded())


def test_a_machine_without_a_keyring_is_told_so_and_the_next_source_serves() -> None:
    with pytest.raises(SourceUnavailable, match="no desktop session"):
        source(FAIL).make("id", seeded())
    assert Keyholder([source(FAIL), passphrase()]).make(seeded()).lock.source == "passphrase"
    with pytest.raises(NoMasterKey, match=r"no desktop session.*PITBOSS_PASSPHRASE_FILE") as caught:
        Keyholder([source(FAIL)]).make(seeded())
    assert [refusal.source for refusal in caught.value.refusals] == ["keyring"]


def test_a_chain_serves_through_its_first_fit_keyring_only() -> None:
    fit, plain = Ring(), named("keyrings.alt.file", "PlaintextKeyring")

    def chain(*rings: Backend) -> Backend:
        made: Backend = type("Chain", (chainer.ChainerBackend,), {"backends": rings})()
        return made

    source(chain(plain, fit)).make("id", seeded())
    assert list(fit.kept) == [(SERVICE, "id")]
    assert plain.kept == {}  # type: ignore[attr-defined]  # it is a Ring
    with pytest.raises(KeyringRefused):
        source(chain(plain)).make("id", seeded())
    with pytest.raises(SourceUnavailable):
        source(chain()).make("id", seeded())


def test_a_keyring_that_does_not_answer_is_given_up_after_its_deadline() -> None:
    never = threading.Event()

    class Stuck(Ring):
        def set_password(self, service: str, username: str, password: str) -> None:
            never.wait()

    with pytest.raises(SourceUnavailable, match="no answer within 0 s"):
        source(Stuck(), deadline_seconds=0).make("id", seeded())
    never.set()


def test_a_keyring_that_keeps_nothing_is_noticed() -> None:
    with pytest.raises(SourceUnavailable, match="does not give back"):
        source(Forgetful()).make("id", seeded())


def test_s09_what_a_backend_says_when_it_fails_is_not_repeated() -> None:
    with pytest.raises(SourceUnavailable, match="failed with RuntimeError") as caught:
        source(Broken()).open(Lock("id", "keyring"))
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_our_own_backend_is_passed_over_because_its_sources_serve_directly() -> None:
    with pytest.raises(SourceUnavailable, match="our own file"):
        source(named("brokers.vault.backend", "EncryptedKeyring")).make("id", seeded())


def test_the_keyring_library_is_not_imported_with_the_vault() -> None:
    code = "import sys, brokers.vault; sys.exit('keyring' in sys.modules)"
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0  # noqa: S603 - our own


def test_s07_the_library_itself_under_a_null_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyring.core._keyring_backend", NULL)
    assert isinstance(system_keyring(), null.Keyring)
    with pytest.raises(KeyringRefused, match="null"):
        KeyringSource().make("id", seeded())


# The order.


def kinds(environ: dict[str, str], ask: Callable[[], Secret] | None = None, key: Path | None = None) -> list[str]:
    return [one.kind for one in standard_sources(environ, SimulatedDisk(), ask=ask, key_file=key, guard=anybody)]


def test_the_sources_come_in_their_order() -> None:
    assert kinds({}) == ["keyring"]
    assert kinds({"PITBOSS_PASSPHRASE_FILE": "/p"}) == ["keyring", "passphrase"]
    assert kinds({}, ask=lambda: Secret("x")) == ["keyring", "passphrase"]
    assert kinds({"CREDENTIALS_DIRECTORY": "/run/credentials/pitboss"}) == ["keyring", "key file"]
    assert kinds({"PITBOSS_PASSPHRASE_FILE": "/p"}, key=Path("/k")) == ["keyring", "passphrase", "key file"]


def test_a_passphrase_file_goes_before_a_prompt_and_a_named_key_file_before_the_managers() -> None:
    disk = SimulatedDisk()
    disk.write(Path("/p"), b"from the file\n")
    disk.write(Path("/k"), to_text(b"k" * 32).encode())
    environ = {"PITBOSS_PASSPHRASE_FILE": "/p", "CREDENTIALS_DIRECTORY": "/c"}
    _, asked, key = standard_sources(environ, disk, ask=lambda: Secret("typed"), key_file=Path("/k"), guard=anybody)
    assert isinstance(asked, PassphraseSource)
    assert asked.ask() == Secret("from the file")
    assert isinstance(key, KeyFileSource)
    assert key.make("id", seeded()).key.material == Secret(to_text(b"k" * 32))


def test_the_service_managers_key_is_found_in_its_folder() -> None:
    disk = SimulatedDisk()
    disk.write(Path("/c/pitboss-vault-key"), to_text(b"m" * 32).encode() + b"\n")
    _, key = standard_sources({"CREDENTIALS_DIRECTORY": "/c"}, disk, guard=anybody)
    assert key.make("id", seeded()).key.material == Secret(to_text(b"m" * 32))


def test_a_vault_is_opened_by_the_kind_of_source_that_locked_it_whatever_comes_first() -> None:
    disk = SimulatedDisk()
    filled(disk, passphrase())
    assert opened(disk, source(NULL), key_file(), passphrase()).plain(name("one")) == CANARY.encode()
    with pytest.raises(NoMasterKey, match="'passphrase' that locked the vault") as caught:
        opened(disk, key_file())
    assert caught.value.refusals == ()


def test_of_two_sources_of_one_kind_the_one_that_fits_opens_the_vault() -> None:
    disk = SimulatedDisk()
    filled(disk, passphrase("right"))
    assert opened(disk, passphrase("wrong"), passphrase("right")).plain(name("one")) == CANARY.encode()


# Files with secrets.


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"", "it is empty"), (b"\n", "it is empty"), (b"\xff\xfe", "not UTF-8")],
)
def test_an_unusable_passphrase_file_says_why(content: bytes | None, said: str) -> None:
    disk = SimulatedDisk()
    if content is not None:
        disk.write(Path("/p"), content)
    asked = PassphraseSource(secret_file("passphrase", Path("/p"), disk, anybody))
    with pytest.raises(SourceUnavailable, match=said):
        asked.make("id", seeded())


@pytest.mark.parametrize("line_end", ["", "\n", "\r\n"])
def test_the_last_line_end_is_no_part_of_a_passphrase_and_blanks_are(line_end: str) -> None:
    disk = SimulatedDisk()
    disk.write(Path("/p"), f" two words {line_end}".encode())
    assert secret_file("passphrase", Path("/p"), disk, anybody)() == Secret(" two words ")


def test_a_key_file_that_holds_no_key_says_how_to_make_one_and_shows_nothing() -> None:
    with pytest.raises(SourceUnavailable, match="head -c 32") as caught:
        KeyFileSource(lambda: Secret(CANARY)).make("id", seeded())
    assert CANARY not in str(caught.value)


def test_d17_a_secret_file_that_others_can_use_is_refused_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_text(CANARY)
    for mode in (0o640, 0o604, 0o602, 0o620, 0o666):
        path.chmod(mode)
        with pytest.raises(FileExposed) as caught:
            secret_file("passphrase", path, SimulatedDisk())()
        assert isinstance(caught.value, VaultError)
        assert f"{mode:04o}" in str(caught.value)
    path.chmod(0o600)
    refuse_exposed(path)
    path.chmod(0o400)
    refuse_exposed(path)
    refuse_exposed(tmp_path / "missing")


def test_a_file_of_roots_that_an_access_list_opens_to_us_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a service manager leaves it: root's, with a group bit that stands for one user's right to read."""
    path = tmp_path / "key"
    path.write_text("x")
    path.chmod(0o440)
    owner = path.stat().st_uid
    monkeypatch.setattr("brokers.vault.private._ROOT", owner)
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    refuse_exposed(path)
    path.chmod(0o460)
    with pytest.raises(FileExposed):
        refuse_exposed(path)
    monkeypatch.setattr("brokers.vault.private._ROOT", owner + 2)
    path.chmod(0o400)
    with pytest.raises(FileExposed):
        refuse_exposed(path)
