"""Which pitboss this is; the package takes its version from here."""

from typing import Final

VERSION: Final = "0.1.0"
