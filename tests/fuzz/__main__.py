"""Coverage-guided fuzzing of one codec with atheris: `python -m tests.fuzz CODEC [libFuzzer arguments]`."""

import importlib.util
import sys
from importlib import import_module
from typing import Any

from tests.fuzz.codecs import CODECS, survives

USAGE = 2


def main(words: list[str]) -> int:
    """Runs until stopped or until a codec fails; returns the exit code where it cannot run."""
    if len(words) < 2 or words[1] not in CODECS:
        sys.stderr.write(f"expected a codec, one of {', '.join(CODECS)}\n")
        return USAGE
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("atheris is not installed, so nothing was fuzzed; `pip install pitboss[fuzz]` brings it\n")
        return USAGE
    atheris: Any = import_module("atheris")
    codec = CODECS[words[1]]
    atheris.instrument_all()
    atheris.Setup([words[0], *words[2:]], lambda data: survives(codec, data) and None)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
