"""The journal: an append-only, hash-chained record of all that happened, on disk before anybody acts on it."""

from sessions.journal.capture import JournalCapture as JournalCapture
from sessions.journal.chain import Chain as Chain
from sessions.journal.errors import InvalidEntry as InvalidEntry
from sessions.journal.errors import JournalBusy as JournalBusy
from sessions.journal.errors import JournalClosed as JournalClosed
from sessions.journal.errors import JournalCorrupt as JournalCorrupt
from sessions.journal.errors import JournalError as JournalError
from sessions.journal.errors import JournalFailed as JournalFailed
from sessions.journal.errors import JournalFenced as JournalFenced
from sessions.journal.errors import JournalFull as JournalFull
from sessions.journal.errors import JournalRefused as JournalRefused
from sessions.journal.journal import JOURNAL as JOURNAL
from sessions.journal.journal import Journal as Journal
from sessions.journal.reader import Reader as Reader
from sessions.journal.rows import Entry as Entry
from sessions.journal.rows import Head as Head
from sessions.journal.rows import Row as Row
from sessions.journal.store import JournalSettings as JournalSettings
from sessions.journal.unwritten import Unwritten as Unwritten
from sessions.journal.writer import JournalDown as JournalDown
from sessions.journal.writer import JournalNews as JournalNews
from sessions.journal.writer import JournalNotice as JournalNotice
from sessions.journal.writer import JournalStatistics as JournalStatistics
from sessions.journal.writer import JournalUp as JournalUp
from sessions.journal.writer import Writer as Writer
