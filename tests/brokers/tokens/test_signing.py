"""Signatures against published and recomputed examples, byte for byte."""

import pytest

from brokers.tokens.credentials import Credential, FieldMissing
from brokers.tokens.signing import Bearer, HeaderHmac, QueryHmac, Signer, hmac_hex
from brokers.tokens.token_set import Token
from runtime.wire.http_messages import HttpRequest
from runtime.wire.secret import Secret
from tests.brokers.tokens.kit import LOGIN

KEY = Secret("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A")
SECRET = Secret("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j")
HOST = "https://api.example.com/v1/order"


def test_a_signed_query_is_that_of_the_published_example() -> None:
    query = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
    signed = QueryHmac(KEY, SECRET).sign(HttpRequest("POST", f"{HOST}?{query}"), 1_499_827_319_559_000_000)
    assert signed.url == (
        f"{HOST}?{query}&recvWindow=5000&timestamp=1499827319559"
        "&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    )
    assert signed.headers == (("x-mbx-apikey", KEY.reveal()),)


def test_query_and_body_are_signed_one_after_the_other() -> None:
    query, body = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
        b"quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
    )
    expected = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
    assert hmac_hex(SECRET, query.encode() + body) == expected
    signed = QueryHmac(KEY, SECRET).sign(HttpRequest("POST", HOST, body=b"a=1"), 1_000_000)
    payload = b"recvWindow=5000&timestamp=1a=1"
    assert signed.url.endswith(f"?recvWindow=5000&timestamp=1&signature={hmac_hex(SECRET, payload)}")


@pytest.mark.parametrize(
    ("request_", "stamp", "signature"),
    [
        (
            HttpRequest("GET", f"{HOST}?category=option&symbol=BTC-29JUL22-25000-C"),
            1658384314791,
            "02e9182e346177050f199ce1e0703d738589e3763805ed71590ced65539a73a7",
        ),
        (
            HttpRequest("POST", HOST, body=b'{"category": "option"}'),
            1658385579423,
            "70b71239a836609988272df61d14ad05594dc2f475787edd2af7726a416933c5",
        ),
    ],
)
def test_signed_headers_cover_time_key_window_and_the_bytes_that_are_sent(
    request_: HttpRequest, stamp: int, signature: str
) -> None:
    signed = HeaderHmac(Secret("XXXXXXXXXX"), Secret("secret")).sign(request_, stamp * 1_000_000 + 999_999)
    assert dict(signed.headers) == {
        "x-bapi-api-key": "XXXXXXXXXX",
        "x-bapi-timestamp": str(stamp),
        "x-bapi-recv-window": "5000",
        "x-bapi-sign": signature,
    }
    assert (signed.url, signed.body) == (request_.url, request_.body)


@pytest.mark.parametrize("kind", [QueryHmac, HeaderHmac])
def test_a_key_is_taken_from_the_credential_and_a_missing_field_named(kind: type[QueryHmac | HeaderHmac]) -> None:
    signer: Signer = kind.of(Credential(LOGIN, {"api_key": KEY, "api_secret": SECRET}))
    assert KEY.reveal() not in repr(signer)
    with pytest.raises(FieldMissing, match="api_secret"):
        kind.of(Credential(LOGIN, {"api_key": KEY}))


def test_a_bearer_token_stands_in_the_authorization_header() -> None:
    signed = Bearer(Token(LOGIN, 1, Secret("at-1"), 0)).sign(HttpRequest("GET", HOST), 0)
    assert signed.headers == (("authorization", "Bearer at-1"),)
