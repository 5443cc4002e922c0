"""Every command by family; the module of a command is imported when it is needed, so that no other pays for it."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final, NamedTuple

import click

from sessions.control.commands.options import Group


class Entry(NamedTuple):
    """Which module of this package holds a command, and the sentence that its help begins with."""

    module: str
    sentence: str


FAMILIES: Final[Mapping[str, Mapping[str, Entry]]] = {
    "The daemon": {
        "up": Entry("up", "Runs the daemon until it is told to end."),
        "status": Entry("watching", "Answers on one screen whether all is right and, if not, why."),
        "tree": Entry(
            "watching", "Draws the supervision tree: who supervises whom, what each does, how often it was started."
        ),
        "top": Entry("watching", "Lists the children of the tree that are behind, or were restarted, first."),
        "metrics": Entry("watching", "Prints every figure of the daemon in the text format of Prometheus."),
        "doctor": Entry("watching", "Checks everything from the process to the brokers, a line each."),
        "events": Entry("past", "Lists what happened in the tree, oldest first: starts, failures, restarts."),
        "crashes": Entry("past", "Lists the last crashes of actors, oldest first; secrets and state are left out."),
        "logs": Entry("past", "Prints the last lines of the log."),
        "shutdown": Entry(
            "running", "Ends the daemon once the orders on their way are settled; positions stay as they are."
        ),
    },
    "Sessions": {
        "sessions": Entry(
            "watching", "Lists the sessions: what each does, where it trades, and what keeps it from more."
        ),
        "start": Entry("running", "Has the session NAME run from now on, after restarts of the daemon too."),
        "stop": Entry(
            "running", "Has the session NAME stay down from now on; its orders and its position stay as they are."
        ),
        "restart": Entry("running", "Ends the session NAME and starts it again."),
        "reload": Entry(
            "running",
            "Reads the configuration again and restarts only what changed; with NAME, that session's strategy alone.",
        ),
        "move": Entry(
            "running",
            "Takes the session NAME to another account: it ends flat or is refused, reconciles there and resumes.",
        ),
    },
    "Books": {
        "orders": Entry("books", "Lists the orders of all accounts, oldest first; orders in doubt stand out."),
        "positions": Entry("books", "Lists what all accounts hold."),
        "results": Entry(
            "books", "Shows what every session's trades came to, by symbol: from flat to flat, fees taken off."
        ),
        "fills": Entry("books", "Lists the executions of all accounts by the journal, oldest first."),
        "equity": Entry("books", "Shows the money of all accounts as their brokers tell it now."),
        "bars": Entry("books", "Shows the last bars of SYMBOL, as a chart and as a table."),
    },
    "Orders by hand": {
        "submit": Entry("trading", "Places one order for SESSION, if its risk limits let it."),
        "cancel": Entry("trading", "Asks for the end of SESSION's order KEY."),
        "modify": Entry("trading", "Asks for new terms of SESSION's order KEY, if its risk limits let them."),
        "flatten": Entry("trading", "Cancels what is open and closes what is held: of SESSION, or of all with --all."),
        "resolve": Entry(
            "trading", "Takes your word for the order KEY that is in doubt: look it up at the broker first."
        ),
    },
    "Safety": {
        "halt": Entry("safety", "Pulls the kill switch: from now on nothing new is risked, after a restart neither."),
        "resume": Entry(
            "safety",
            "Lifts the kill switch in your name; with SESSION that session's daily loss instead, if it struck.",
        ),
        "arm": Entry("safety", "Lets BROKER trade real money for a time; the configuration has to name it as live."),
        "disarm": Entry(
            "safety",
            "Takes BROKER's leave to trade away: its sessions take no new risk, what is held can still be closed.",
        ),
    },
    "Settings and credentials": {
        "init": Entry(
            "configuring",
            "Asks some questions and writes a first configuration file; one that is there is never overwritten.",
        ),
        "config": Entry("configuring", "Shows and checks the settings that a daemon would start with."),
        "keys": Entry("keys", "Keeps the credentials of brokers in the vault, encrypted."),
        "login": Entry(
            "keys", "Logs in to a broker with what `pitboss keys set` stored, and keeps the tokens in the vault."
        ),
        "brokers": Entry(
            "listing", "Shows what each broker can do, as the daemon itself asks it; with NAME that broker alone."
        ),
        "symbols": Entry(
            "listing", "Lists the instruments whose root contains LIKE, each future with its front contract of today."
        ),
    },
    "The journal": {
        "audit": Entry("keeping", "Checks and shows the journal, to which everything is written before it happens."),
        "backup": Entry(
            "keeping",
            "Copies the journal into the new FOLDER and verifies the copy, while the daemon trades or without one.",
        ),
        "restore": Entry(
            "keeping", "Brings the backup in FOLDER back as the journal, verified before and after; no daemon may run."
        ),
    },
    "Trying out": {
        "demo": Entry("trying", "Shows three sessions trade through three crashes, and audits every order and fill."),
        "bench": Entry("trying", "Measures NAME against its floor in the same run and holds it to its bars."),
        "emulate": Entry("emulate", "Serves BROKER's protocol on 127.0.0.1 until it is interrupted."),
        "rehearse": Entry(
            "rehearse",
            "Runs SESSIONS, or all that are configured, at emulated brokers in simulated time while things go wrong.",
        ),
    },
}

ENTRIES: Final[Mapping[str, Entry]] = {name: one for family in FAMILIES.values() for name, one in family.items()}


class Commands(Group):
    """All of them as one group, which names each in its help without importing it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, by family."""
        return list(ENTRIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in ENTRIES:
            return None
        found: click.Command = getattr(import_module(f"{__package__}.{ENTRIES[cmd_name].module}"), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A heading a family, a sentence a command."""
        for title, family in FAMILIES.items():
            with formatter.section(title):
                formatter.write_dl([(name, one.sentence) for name, one in family.items()])
