"""What looks like a secret, by its name or by itself; settings hold none, credentials live in the vault."""

import math
import re
from collections import Counter
from typing import Any

EXPECTED = "no secret in settings; remove it, change it where it was shown, and keep it with `pitboss keys set`"

_NAMES = frozenset(
    {
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "secret",
        "secrets",
        "token",
        "tokens",
        "jwt",
        "bearer",
        "credential",
        "credentials",
        "cookie",
        "apikey",
        "apisecret",
        "accesstoken",
        "refreshtoken",
        "privatekey",
        "secretkey",
        "clientsecret",
        "authorization",
        "pin",
        "otp",
        "totp",
    }
)
_NAMED_KEYS = frozenset({"api", "private", "secret", "access", "consumer", "master", "signing", "encryption"})
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\beyJ[\w-]{8,}\.[\w-]+"
    r"|://[^/\s@:]*:[^/\s@]+@"
    r"|\b(?:bearer|basic) +[\w.~+/=-]{16,}",
    re.IGNORECASE,
)
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SWITCH = re.compile(r"(?<=[a-zA-Z])(?=[0-9])|(?<=[0-9])(?=[a-zA-Z])|(?<=[a-z])(?=[A-Z])")
_LEAST_BITS = 3.2  # a character; random hexadecimal digits have 4, counted over few of them somewhat less
_LEAST_SWITCHES = 0.25  # a character; words and dates have fewer, random digits and letters about 0.45


def is_secret_name(key: str) -> bool:
    """Whether a key is named like a secret, such as `api_secret`, `accessToken` or `PASSWORD`."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+", key)]
    named = bool(_NAMES.intersection(words)) and words[-1] != "file"
    return named or (words[-1:] == ["key"] and words[-2:-1] != [] and words[-2] in _NAMED_KEYS)


def is_secret_value(value: Any, *, identifier: bool = False) -> bool:
    """Whether a text, or one in an array or table, looks like a secret; an identifier may be a UUID."""
    if isinstance(value, dict):
        return any(is_secret_name(key) or is_secret_value(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return any(is_secret_value(item, identifier=identifier) for item in value)
    if not isinstance(value, str) or (identifier and _UUID.fullmatch(value)):
        return False
    return _SHAPES.search(value) is not None or any(_is_random(run) for run in _RUN.findall(value))


def _is_random(run: str) -> bool:
    return len(_SWITCH.findall(run)) >= _LEAST_SWITCHES * len(run) and _bits(run) >= _LEAST_BITS


def _bits(run: str) -> float:
    """The entropy of one character of the text."""
    shares = [count / len(run) for count in Counter(run).values()]
    return -sum(share * math.log2(share) for share in shares)
