"""Rows of the fault table that no simulation has whole, and the tests that prove them in real processes and files."""

from collections.abc import Mapping
from typing import Final

_KILLS: Final = "tests/sessions/process/test_kills.py"
_CRASHES: Final = "tests/sessions/journal/test_crashes.py"
_STORE: Final = "tests/sessions/journal/test_store.py"
_WIRE: Final = "tests/runtime/wire"

ELSEWHERE: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    # Every byte offset of every message: a rehearsal cuts at some of them.
    "F02": (
        (
            f"{_WIRE}/test_websocket_faults.py",
            "test_f01_f02_a_stream_cut_at_any_byte_delivers_whole_messages_and_one_end",
        ),
        (
            f"{_WIRE}/test_http_delivery.py",
            "test_f02_f04_an_answer_cut_at_any_byte_leaves_a_post_unknown_and_it_arrived_once",
        ),
    ),
    # What an operating system, a file system and SQLite do to each other.
    "F24": ((_CRASHES, "test_f24_a_disk_that_is_full_once_refuses_one_entry_and_goes_on"),),
    "F25": ((_CRASHES, "test_f25_d07_a_sync_that_fails_is_never_taken_for_one_that_did_not"),),
    "F28": (
        (_KILLS, "test_R11_R25_kills_at_random_moments_lose_no_fill_and_double_no_order"),
        (_KILLS, "test_R12_a_kill_at_any_write_or_sync_leaves_files_from_which_the_next_start_is_sound"),
        (_CRASHES, "test_r12_o05_a_kill_at_any_system_call_leaves_a_journal_that_recovers"),
    ),
    "F30": (
        (_STORE, "test_d08_f30_a_damaged_file_is_refused_with_what_to_do"),
        (_STORE, "test_f30_a_truncated_log_that_held_acknowledged_rows_is_refused"),
        (_STORE, "test_f30_a_missing_file_is_not_taken_for_a_new_journal"),
    ),
    "F37": (
        (f"{_WIRE}/test_host.py", "test_f37_running_out_of_file_descriptors_is_survived"),
        (f"{_WIRE}/test_host_http.py", "test_f37_a_crowd_at_the_door_is_shut_out_in_silence"),
    ),
}
