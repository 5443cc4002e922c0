"""The command line. Nothing but click is imported before it is known which command runs."""

import click

from sessions.control.commands.all import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pitboss", prog_name="pitboss")
def main() -> None:
    """Runs supervised automated-trading sessions over several brokers.

    Exit codes: 0 fine, 1 something is not well, 2 the command was not understood, 3 refused as things are (the
    sentence says what to do), 4 no daemon answers, or another one runs.

    Example: pitboss status --live
    """


if __name__ == "__main__":
    main()
