"""Claims about the folders: XDG, private to their owner, refused when they are not."""

import stat
from pathlib import Path

import pytest

from config.settings import DaemonSettings, Folders, FoldersUnknown, UnsafePlace, folders, prepare
from config.settings.folders import expanded


def test_the_folders_are_those_of_xdg() -> None:
    environ = {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"}
    found = folders(environ)
    assert found == Folders(Path("/c/pitboss"), Path("/s/pitboss"), Path("/r/pitboss"))
    assert found.file == Path("/c/pitboss/pitboss.toml")


@pytest.mark.parametrize("more", [{}, {"XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "here", "XDG_RUNTIME_DIR": "../x"}])
def test_without_absolute_variables_they_are_below_home(more: dict[str, str]) -> None:
    state = Path("/home/me/.local/state/pitboss")
    assert folders({"HOME": "/home/me", **more}) == Folders(Path("/home/me/.config/pitboss"), state, state / "run")


def test_the_settings_come_before_xdg() -> None:
    daemon = DaemonSettings(state_folder="~/desk", runtime_folder="/run/desk")
    found = folders({"HOME": "/home/me", "XDG_RUNTIME_DIR": "/r", "XDG_STATE_HOME": "/s"}, daemon)
    assert (found.state, found.runtime) == (Path("/home/me/desk"), Path("/run/desk"))
    assert expanded({}, "/a/b") == Path("/a/b")


@pytest.mark.parametrize("environ", [{}, {"HOME": "relative"}])
def test_without_a_home_nothing_is_guessed(environ: dict[str, str]) -> None:
    with pytest.raises(
        FoldersUnknown, match=r"HOME: expected an absolute path, got .*no folder was chosen; set HOME"
    ) as one:
        folders(environ)
    assert one.value.home == environ.get("HOME")


def below(path: Path) -> Folders:
    return Folders(path / "a/config", path / "a/state", path / "a/state/run")


def test_d17_missing_folders_are_made_with_mode_0700_parents_too(tmp_path: Path) -> None:
    place = below(tmp_path)
    prepare(place)
    prepare(place)
    for folder in (tmp_path / "a", place.config, place.state, place.runtime):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o770, 0o702])
def test_d17_a_folder_open_to_others_is_refused_and_left_as_it_is(tmp_path: Path, mode: int) -> None:
    place = below(tmp_path)
    prepare(place)
    place.state.chmod(mode)
    with pytest.raises(UnsafePlace) as caught:
        prepare(place)
    assert str(caught.value) == (
        f"{place.state}: expected a folder of mode 0700, got mode {mode:04o}; nothing was changed; "
        f"run: chmod 700 {place.state}"
    )
    assert (caught.value.path, stat.S_IMODE(place.state.stat().st_mode)) == (place.state, mode)


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    place = below(tmp_path)
    prepare(place)
    place.runtime.rmdir()
    place.runtime.touch(mode=0o600)
    with pytest.raises(UnsafePlace, match="expected a folder, got another kind of file"):
        prepare(place)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = below(tmp_path)
    prepare(place)
    monkeypatch.setattr("os.geteuid", lambda: 424242)
    with pytest.raises(UnsafePlace, match="expected a folder of user 424242, who runs pitboss, got one of user"):
        prepare(place)


def test_a_link_to_a_private_folder_of_ours_is_followed(tmp_path: Path) -> None:
    place = below(tmp_path)
    prepare(place)
    (tmp_path / "disk").mkdir(mode=0o700)
    place.runtime.rmdir()
    place.runtime.symlink_to(tmp_path / "disk")
    prepare(place)
    (tmp_path / "disk").chmod(0o755)
    with pytest.raises(UnsafePlace, match="0755"):
        prepare(place)
