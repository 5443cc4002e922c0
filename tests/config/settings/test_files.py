"""Claims about which files are read: those that nobody else can read or change (S48)."""

import os
from pathlib import Path

import pytest

from config.reading import ConfigError
from config.settings import Source, read_source, read_sources


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pitboss.toml"
    path.write_text("daemon.drain_s = 1\n")
    path.chmod(0o600)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_source(path)
    [problem] = caught.value.problems
    return str(problem).replace(str(path.parent), "FOLDER")


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_alone_is_read(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert read_source(file) == Source(str(file), "daemon.drain_s = 1\n")


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602, 0o601, 0o644, 0o666])
def test_s48_a_file_that_others_can_touch_is_refused_with_the_remedy(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert refusal(file) == (
        "FOLDER/pitboss.toml: the document: expected a file that only its owner can read and write; "
        f"run: chmod 600 FOLDER/pitboss.toml, got mode {mode:04o}"
    )


def test_s48_a_file_of_another_user_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.settings.files._trusted", lambda: frozenset({424242}))
    monkeypatch.setattr("config.settings.files._unsafe_folder", lambda _: ())
    assert "expected a file of its reader's own or of root, got a file of user" in refusal(file)


def test_s48_a_folder_in_which_others_can_exchange_the_file_is_refused(file: Path) -> None:
    file.parent.chmod(0o770)
    assert "expected a folder that only its owner can change; run: chmod go-w FOLDER, got mode 0770" in refusal(file)
    file.parent.chmod(0o1777)
    assert read_source(file).text


def test_a_link_of_ours_to_a_safe_file_is_followed(file: Path) -> None:
    (file.parent / "second.toml").symlink_to("pitboss.toml")
    (file.parent / "first.toml").symlink_to("second.toml")
    assert read_source(file.parent / "first.toml") == Source(str(file.parent / "first.toml"), "daemon.drain_s = 1\n")


def test_s48_a_link_does_not_make_a_file_safe(file: Path) -> None:
    link = file.parent / "link.toml"
    link.symlink_to(file)
    file.chmod(0o644)
    assert "got mode 0644" in refusal(link)


def test_s48_a_link_in_a_folder_that_others_can_change_is_refused(file: Path) -> None:
    shared = file.parent / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "link.toml").symlink_to(file)
    assert "expected a folder that only its owner can change" in refusal(shared / "link.toml")


def test_s48_a_link_of_another_user_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = file.parent / "link.toml"
    link.symlink_to(file)
    monkeypatch.setattr("config.settings.files._trusted", lambda: frozenset({424242}))
    assert "expected a link of its reader's own or of root, got a link of user" in refusal(link)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "ring", "dangling"])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir(mode=0o700)
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    elif kind in ("ring", "dangling"):
        path.symlink_to(path if kind == "ring" else tmp_path / "nowhere")
    got = {
        "missing": "a file that can be read, got no such file or directory",
        "dangling": "a file that can be read, got no such file or directory",
        "ring": "a file that can be read, got too many levels of symbolic links",
        "folder": "a regular file, got a folder, device or pipe",
        "pipe": "a regular file, got a folder, device or pipe",
    }
    assert refusal(path) == f"FOLDER/{kind}: the document: expected {got[kind]}"


def test_bytes_that_are_no_text_are_refused_with_their_line(file: Path) -> None:
    file.write_bytes(b"a = 1\nb = '\xff'\n")
    assert refusal(file) == "FOLDER/pitboss.toml:2: the document: expected UTF-8 text, got the byte 0xff"


def test_a_file_that_is_too_long_is_refused(file: Path) -> None:
    file.write_bytes(b"#" * (1 << 20))
    assert read_source(file).text
    file.write_bytes(b"#" * ((1 << 20) + 1))
    assert refusal(file) == "FOLDER/pitboss.toml: the document: expected at most 1048576 bytes, got more"


def test_all_files_that_cannot_be_used_are_told_at_once(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_sources([tmp_path / "a", file, tmp_path / "b"])
    assert [problem.file for problem in caught.value.problems] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert [source.name for source in read_sources([file, file])] == [str(file), str(file)]
