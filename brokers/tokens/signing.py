"""How a request shows whose it is: a bearer token, or an API key with an HMAC over the request's own bytes.

A signer takes the finished request and the time of the wall. Ways that sign each request anew with other means,
such as OAuth 1.0a or a JWT a request, are further signers.
"""

import hashlib
import hmac
from typing import Final, Protocol

import attrs

from brokers.tokens.credentials import Credential
from brokers.tokens.token_set import Token
from runtime.wire.http_messages import HttpRequest
from runtime.wire.secret import Secret

_MILLISECOND_NS: Final = 1_000_000


class Signer(Protocol):
    """Adds to a request what proves whose it is."""

    def sign(self, request: HttpRequest, wall_ns: int) -> HttpRequest:
        """The request as it may leave; its own parts stay byte for byte."""
        ...


@attrs.frozen
class Bearer:
    """A token in the Authorization header."""

    token: Token

    def sign(self, request: HttpRequest, wall_ns: int) -> HttpRequest:
        """The request with the header."""
        return _with_headers(request, ("authorization", f"Bearer {self.token.access.reveal()}"))


@attrs.frozen
class QueryHmac:
    """Time and signature at the end of the query; signed are the query and the body, one after the other."""

    key: Secret
    secret: Secret
    key_header: str = "x-mbx-apikey"
    window_ms: int = 5000

    @classmethod
    def of(cls, credential: Credential) -> "QueryHmac":
        """The signer of a credential with `api_key` and `api_secret`; raises FieldMissing."""
        return cls(Secret(credential.text("api_key")), Secret(credential.text("api_secret")))

    def sign(self, request: HttpRequest, wall_ns: int) -> HttpRequest:
        """The request with the key's header and a signed query."""
        url, _, query = request.url.partition("?")
        stamp = f"recvWindow={self.window_ms}&timestamp={wall_ns // _MILLISECOND_NS}"
        query = f"{query}&{stamp}" if query else stamp
        signature = hmac_hex(self.secret, query.encode() + request.body)
        signed = attrs.evolve(request, url=f"{url}?{query}&signature={signature}")
        return _with_headers(signed, (self.key_header, self.key.reveal()))


@attrs.frozen
class HeaderHmac:
    """Time, key and signature in headers; signed are time, key, window, and the query or else the body."""

    key: Secret
    secret: Secret
    prefix: str = "x-bapi-"
    window_ms: int = 5000

    @classmethod
    def of(cls, credential: Credential) -> "HeaderHmac":
        """The signer of a credential with `api_key` and `api_secret`; raises FieldMissing."""
        return cls(Secret(credential.text("api_key")), Secret(credential.text("api_secret")))

    def sign(self, request: HttpRequest, wall_ns: int) -> HttpRequest:
        """The request with the signed headers."""
        stamp, window, key = str(wall_ns // _MILLISECOND_NS), str(self.window_ms), self.key.reveal()
        query = request.url.partition("?")[2]
        payload = query.encode() if request.method == "GET" else request.body
        signature = hmac_hex(self.secret, f"{stamp}{key}{window}".encode() + payload)
        named = (("api-key", key), ("timestamp", stamp), ("recv-window", window), ("sign", signature))
        return _with_headers(request, *((self.prefix + name, value) for name, value in named))


def hmac_hex(secret: Secret, message: bytes) -> str:
    """HMAC-SHA256 as lower-case hexadecimal."""
    return hmac.new(secret.reveal().encode(), message, hashlib.sha256).hexdigest()


def _with_headers(request: HttpRequest, *headers: tuple[str, str]) -> HttpRequest:
    return attrs.evolve(request, headers=(*request.headers, *headers))
