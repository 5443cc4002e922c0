"""Our own backend for the keyring library: sealed on disk, fit only where a key for it is named."""

import stat
from importlib.metadata import entry_points
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend, get_all_keyring
from keyring.errors import KeyringError, PasswordDeleteError

from brokers.vault.backend import EncryptedKeyring
from brokers.vault.sealing import to_text
from runtime.wire.disguises import disguises
from tests.brokers.vault.kit import CANARY


def made() -> EncryptedKeyring:
    return EncryptedKeyring()  # type: ignore[no-untyped-call]  # the library's constructor has no types


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service manager's folder with a key in it."""
    path = tmp_path / "pitboss-vault-key"
    path.write_text(to_text(b"k" * 32))
    path.chmod(0o600)
    monkeypatch.delenv("PITBOSS_PASSPHRASE_FILE", raising=False)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("KEYRING_PROPERTY_FILE_PATH", str(tmp_path / "ring" / "file"))
    return path


def test_s04_a_password_is_kept_sealed_and_comes_back(key: Path) -> None:
    ring = made()
    assert ring.get_password("service", "me") is None
    ring.set_password("service", "me", "before")
    ring.set_password("service", "me", CANARY)
    ring.set_password("service", "you", "other")
    assert made().get_password("service", "me") == CANARY
    file = Path(ring.file_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(needle in file.read_text() for needle in disguises(CANARY.encode()))
    ring.delete_password("service", "me")
    assert ring.get_password("service", "me") is None
    assert ring.get_password("service", "you") == "other"
    with pytest.raises(PasswordDeleteError):
        ring.delete_password("service", "me")


def test_the_library_uses_it_like_any_other(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyring.core._keyring_backend", None)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "brokers.vault.backend.EncryptedKeyring")
    assert isinstance(keyring.get_keyring(), EncryptedKeyring)
    keyring.set_password("service", "me", CANARY)
    assert keyring.get_password("service", "me") == CANARY


def test_it_ranks_above_no_keyring_and_below_a_desktops(key: Path) -> None:
    assert 0 < EncryptedKeyring.priority < 1
    assert EncryptedKeyring in KeyringBackend.get_viable_backends()


def test_without_a_key_it_declares_itself_unfit(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(RuntimeError, match="PITBOSS_PASSPHRASE_FILE"):
        assert EncryptedKeyring.priority
    assert EncryptedKeyring not in KeyringBackend.get_viable_backends()


def test_s03_with_a_wrong_key_it_fails_with_the_vaults_sentence_and_changes_nothing(key: Path) -> None:
    ring = made()
    ring.set_password("service", "me", CANARY)
    data = Path(ring.file_path).read_bytes()
    key.write_text(to_text(b"w" * 32))
    for use in (
        lambda: ring.get_password("service", "me"),
        lambda: ring.set_password("service", "me", "new"),
        lambda: ring.delete_password("service", "me"),
    ):
        with pytest.raises(KeyringError, match="did not open"):
            use()  # type: ignore[no-untyped-call]  # three uses of one shape
    assert Path(ring.file_path).read_bytes() == data


def test_the_keyring_library_finds_the_backend_through_its_entry_point(key: Path) -> None:
    (entry,) = [one for one in entry_points(group="keyring.backends") if one.value == "brokers.vault.backend"]
    entry.load()
    assert EncryptedKeyring in {type(backend) for backend in get_all_keyring()}
