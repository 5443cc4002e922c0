"""Fuzzing of one codec that is led by what its code does with the input, by atheris.

python -m tests.fuzz CODEC [arguments of libFuzzer], such as -max_total_time=300; input that fails is left in a file
beside, and `python -m tests.fuzz CODEC FILE` tries it again.
"""

import importlib.util
import sys
import tempfile
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

USAGE = 2
OURS = ["brokers"]  # whose branches lead; to look into all that is imported takes minutes before the first input


def main(words: list[str]) -> int:
    """Runs until stopped or until a codec fails; returns the exit code where it cannot run."""
    atheris: Any = import_module("atheris") if importlib.util.find_spec("atheris") else None
    with atheris.instrument_imports(include=OURS) if atheris else nullcontext():
        codecs = import_module("tests.fuzz.codecs")
    codec = codecs.CODECS.get(words[1]) if len(words) > 1 else None
    if codec is None:
        sys.stderr.write(f"expected a codec, one of {', '.join(codecs.CODECS)}\n")
        return USAGE
    if atheris is None:
        sys.stderr.write("atheris is not installed, so nothing was fuzzed; `pip install pitboss[fuzz]` brings it\n")
        return USAGE

    def once(data: bytes) -> None:
        codecs.survives(codec, data)

    given = words[2:]
    if all(word.startswith("-") for word in given):
        given = [*given, str(_seeds(codec.words))]
    atheris.Setup([words[0], *given], once)
    atheris.Fuzz()
    return 0


def _seeds(words: tuple[bytes, ...]) -> Path:
    """A folder of good words, from which the input is made."""
    folder = Path(tempfile.mkdtemp(prefix="pitboss-fuzz-"))
    for number, word in enumerate(words):
        (folder / str(number)).write_bytes(word)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv))
