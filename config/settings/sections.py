"""The sections of the daemon itself: process, journal, vault, strategies and health."""

from typing import Literal

import attrs

from config.settings.fields import PLACE, setting, within


@attrs.frozen
class DaemonSettings:
    """The process: where it keeps its state, how it logs, how it ends."""

    state_folder: str | None = setting(
        "The folder of everything that must survive; not set, pitboss in $XDG_STATE_HOME or ~/.local/state.",
        None,
        PLACE,
        restart=True,
    )
    runtime_folder: str | None = setting(
        "The folder of the socket and the lock; not set, pitboss in $XDG_RUNTIME_DIR or run in the state folder.",
        None,
        PLACE,
        restart=True,
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting("The least severe event that is logged.", "info")
    log_format: Literal["human", "json"] = setting("One line an event, for people or as JSON.", "human")
    log_size_mib: int = setting("The size at which a log file is rotated.", 16, within(1, 1024))
    log_files: int = setting("How many rotated log files are kept.", 8, within(1, 100))
    drain_s: int = setting(
        "How long a stop waits for sessions to finish their orders before it ends them.", 20, within(0, 600)
    )
    arming_minutes: int = setting(
        "How long an armed live account stays armed at most before a person must arm it again.", 480, within(1, 1440)
    )


@attrs.frozen
class JournalSettings:
    """The append-only record that every order is written to before it is sent."""

    folder: str | None = setting(
        "The folder of the journal; not set, journal in the state folder.", None, PLACE, restart=True
    )
    capture: bool = setting("Whether requests and responses of brokers are kept, secrets masked.", default=True)
    capture_kib: int = setting("The size beyond which a kept body is cut and its hash kept.", 64, within(1, 4096))


@attrs.frozen
class VaultSettings:
    """How the store of credentials is opened."""

    unlock: Literal["auto", "keyring", "passphrase", "key_file"] = setting(
        "Where the master key comes from; auto tries the keyring, then a passphrase, then the key file.",
        "auto",
        restart=True,
    )
    key_file: str | None = setting(
        "The file of mode 0600 that holds the master key, as a service manager gives it.", None, PLACE, restart=True
    )


@attrs.frozen
class StrategiesSettings:
    """Where strategies are loaded from, besides installed packages."""

    folder: str | None = setting(
        "The folder of your strategy modules; not set, strategies in the configuration folder.", None, PLACE
    )


@attrs.frozen
class HealthSettings:
    """What is watched, how often, and when it is called ill."""

    check_s: int = setting("How often everything is checked.", 30, within(1, 600))
    alert_repeat_s: int = setting(
        "How long an alert that was raised stays quiet before it is repeated.", 900, within(1, 86400)
    )
    disk_free_mib: int = setting(
        "The free space of the state folder below which no new risk is taken.", 256, within(16, 1048576)
    )
    loop_lag_ms: int = setting("The delay of the event loop that is called ill.", 250, within(10, 10000))
