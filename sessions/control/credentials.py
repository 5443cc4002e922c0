"""What `pitboss keys` and `pitboss login` do: open the vault, change it, say it in a sentence, and show no secret."""

import getpass
import os
import random
import sys
import webbrowser
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import trio

from brokers.capability import Environment
from brokers.tokens.credentials import Credential, LoginId, NoCredential, VersionConflict
from brokers.tokens.drive import Person, drive
from brokers.tokens.flow import AskHuman, LoginFailure
from brokers.tokens.logins import UnknownEnvironment, UnknownField, UnknownLogin, field_of, login_plan, person_login
from brokers.tokens.loopback import at_loopback, pasted_redirect
from brokers.tokens.oauth2 import OAuth2
from brokers.tokens.token_set import Kept, TokenSet, kept_in, login_fields, login_names, with_kept
from brokers.vault import (
    SYSTEM_ENTROPY,
    CredentialId,
    Keyholder,
    KeySource,
    Vault,
    VaultError,
    by_file_lock,
    standard_sources,
)
from brokers.vault.shelf import VaultShelf
from config.settings.folders import FoldersUnknown, UnsafePlace, folders, prepare
from runtime import Child, Ref, Supervisor, open_runtime
from runtime.errors import ActorGone, StartFailed
from runtime.real import real_world
from runtime.reasons import Failed, Shutdown, Unknown
from runtime.wire.http import HttpClient
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from runtime.wire.secret import Secret
from runtime.world import World
from sessions.control.daemon.hardening import harden

T = TypeVar("T")

VAULT_FILE: Final = "vault.pitboss"
REFUSED: Final = 3  # the exit code for a login or a vault that said no
_SECOND_NS: Final = 1_000_000_000
_SOON_NS: Final = 2 * 86_400 * _SECOND_NS


class NoValue(ValueError):
    """No value came for a field."""

    def __init__(self, field: str) -> None:
        super().__init__(f"expected a value for {field} at the prompt or on standard input, got none; nothing was kept")


REFUSALS: Final = (
    VaultError,
    LoginFailure,
    UnknownLogin,
    UnknownField,
    UnknownEnvironment,
    NoCredential,
    VersionConflict,
    FoldersUnknown,
    UnsafePlace,
    NoValue,
)


@attrs.frozen
class Keys:
    """The vault of this user, opened for one command."""

    world: World
    vault: Ref[Vault]
    shelf: VaultShelf

    async def credential(self, login: LoginId) -> Credential:
        """What is stored, or nothing yet."""
        try:
            return await self.shelf.get(login)
        except NoCredential:
            return Credential(login)


def run(work: Callable[[Keys], Awaitable[T]], say: Callable[[str], None]) -> T | None:
    """Does work on the vault; None after a refusal, which is said in its one sentence."""
    try:
        harden(allow_root=True)
        place = folders(os.environ)
        prepare(place)
        return trio.run(_opened, place.state / VAULT_FILE, work)
    except REFUSALS as refusal:
        say(str(refusal))
    except StartFailed as failure:
        say(_sentence(failure))
    return None


async def _opened(path: Path, work: Callable[[Keys], Awaitable[T]]) -> T:
    world = real_world()
    holder = Keyholder(sources(world))
    async with open_runtime(world) as runtime:
        children = [Child("vault", lambda: Vault(path, holder, SYSTEM_ENTROPY, alone=by_file_lock), name="vault")]
        top = await runtime.start(Supervisor(children, max_restarts=0))
        vault: Ref[Vault] | None = top.child("vault")
        if vault is None:
            raise ActorGone(str(path), "open", Unknown())
        return await work(Keys(world, vault, VaultShelf(vault)))


def sources(world: World) -> tuple[KeySource, ...]:
    """Where the master key may come from; a passphrase is asked for only where somebody can type it."""
    ask = _passphrase if sys.stdin.isatty() else None
    return standard_sources(os.environ, world.disk, ask=ask)


def _passphrase() -> Secret:
    return Secret(getpass.getpass("passphrase of the vault: "))


def _sentence(failure: StartFailed) -> str:
    """The vault's own sentence in a failed start."""
    error: BaseException = failure
    while isinstance(error, StartFailed):
        if isinstance(error.reason, Shutdown):
            return str(error.reason.detail)
        if not isinstance(error.reason, Failed):
            break
        error = error.reason.error
    return str(error)


# What the commands do.


async def kept(keys: Keys, login: LoginId, field: str, value: Secret) -> dict[str, Any]:
    """Stores one field, and makes up those that nobody has to know."""
    plan = login_plan(login.broker)
    field_of(plan, field)
    plan.way(login.environment)
    credential = await keys.credential(login)
    fields = {**credential.fields, field: value}
    for other in plan.fields:
        if other.made_up is not None and other.name not in fields:
            fields[other.name] = Secret(other.made_up(random.SystemRandom()))
    await keys.shelf.put(attrs.evolve(credential, fields=fields))
    return {"ok": True}


async def dropped(keys: Keys, login: LoginId, field: str | None) -> dict[str, Any]:
    """Removes a credential, or one field of it; raises NoCredential."""
    credential = await keys.shelf.get(login)
    if field is None or set(login_names(credential)) == {field}:
        await keys.vault.call(Vault.remove, _id_of(login))
        return {"ok": True}
    field_of(login_plan(login.broker), field)
    fields = {name: value for name, value in credential.fields.items() if name != field}
    await keys.shelf.put(attrs.evolve(credential, fields=fields))
    return {"ok": True}


async def rotate(keys: Keys, kind: str | None) -> int:
    """Puts the vault under a new master key, of the same kind unless told otherwise; returns the key's version."""
    wanted = kind or (await keys.vault.call(Vault.statistics)).source
    for source in sources(keys.world):
        if wanted in (None, source.kind):
            with trio.fail_after(120):
                return await keys.vault.call(Vault.rotate, source)
    raise _NoSource(wanted or "any source")


class _NoSource(VaultError):
    def __init__(self, kind: str) -> None:
        super().__init__(
            f"expected a {kind} to take the new key from, none is configured; nothing was changed; "
            "see `pitboss keys rotate --help`"
        )


async def listed(keys: Keys) -> list[dict[str, Any]]:
    """What is stored: whose, which fields, and never a value."""
    rows = []
    for one in await keys.vault.call(Vault.ids):
        login = LoginId(one.broker, one.login, one.environment.value)
        credential = await keys.shelf.get(login)
        names = sorted(login_names(credential))
        missing = [field.name for field in _plan_fields(login.broker) if field.name not in names]
        rows.append({"broker": one.broker, "login": one.login, "environment": login.environment, "fields": names,
                     "missing": missing, "logged_in": kept_in(credential).tokens is not None})  # fmt: skip
    return rows


async def status(keys: Keys) -> tuple[int, list[dict[str, Any]]]:
    """How each login stands: when its tokens end, were refreshed last, can be next, and why not."""
    now_ns = keys.world.clock.wall_ns()
    rows = []
    for one in await keys.vault.call(Vault.ids):
        login = LoginId(one.broker, one.login, one.environment.value)
        credential = await keys.shelf.get(login)
        rows.append(_standing(login, credential, kept_in(credential), now_ns))
    return now_ns, rows


def _standing(login: LoginId, credential: Credential, kept: Kept, now_ns: int) -> dict[str, Any]:
    tokens = kept.tokens
    missing = [field.name for field in _plan_fields(login.broker) if field.name not in credential.fields]
    ends_ns = None if tokens is None else tokens.refresh_expires_ns
    if missing:
        why = f"fields are missing: {', '.join(missing)}; run `pitboss keys set {login.broker} --field {missing[0]}`"
    elif tokens is None:
        why = f"nobody has logged in; run `pitboss login {login.broker}`"
    elif ends_ns is not None and ends_ns <= now_ns:
        why = f"the login has ended; run `pitboss login {login.broker}`"
    elif kept.not_before_ns > now_ns:
        why = "the broker asked for a pause; nothing is tried before `next`"
    elif ends_ns is not None and ends_ns - now_ns < _SOON_NS:
        why = f"the login ends soon; run `pitboss login {login.broker}` before that"
    else:
        why = ""
    return {
        "broker": login.broker,
        "login": login.login,
        "environment": login.environment,
        "expires_ns": None if tokens is None else tokens.expires_ns,
        "login_ends_ns": ends_ns,
        "last_refresh_ns": None if tokens is None else tokens.issued_ns,
        "next_ns": None if tokens is None else max(_due_ns(login.broker, tokens), kept.not_before_ns, now_ns),
        "why_not": why,
    }


def _due_ns(broker: str, tokens: TokenSet) -> int:
    """When a session refreshes these tokens at the latest."""
    try:
        policy = login_plan(broker).policy
    except UnknownLogin:
        return tokens.expires_ns
    return tokens.expires_ns - policy.least_ahead_ns(tokens.expires_ns - tokens.issued_ns)


def _plan_fields(broker: str) -> Sequence[Any]:
    try:
        return login_plan(broker).fields
    except UnknownLogin:
        return ()


async def log_in(
    keys: Keys, login: LoginId, show: Callable[[str], None], *, browser: bool, at: str | None, renew: bool = False
) -> tuple[int, int]:
    """Logs in, or renews what is there without a person, and stores the tokens; returns the time and their end."""
    way, credential = login_plan(login.broker).way(login.environment, at), await keys.shelf.get(login)
    redactor = Redactor()
    for secret in login_fields(credential):
        redactor.learn(secret)
    origins = AllowList(*dict.fromkeys(map(_origin, _addresses(way))))

    def open_page(address: str) -> None:
        show(f"Log in at this address within 5 minutes:\n{address}")
        if browser:
            webbrowser.open(address)

    async with HttpClient(keys.world.network, origins, redactor) as client:
        pasted = isinstance(way, OAuth2) and way.redirect_uri.startswith("https:")
        person = _pasting(open_page, show) if pasted else at_loopback(keys.world.network, open_page)
        known = kept_in(credential).tokens
        flow = way.renew(credential, known) if renew else person_login(way, credential, random.SystemRandom())
        tokens = await drive(flow, client, keys.world.clock, redactor, person)
    generation = kept_in(credential).generation + 1
    await keys.shelf.put(with_kept(credential, Kept(tokens, generation)))
    return keys.world.clock.wall_ns(), tokens.expires_ns


def _pasting(open_page: Callable[[str], None], show: Callable[[str], None]) -> Person:
    """A person who copies the address at which the browser ends, because nobody can listen there."""

    async def person(question: AskHuman) -> Mapping[str, str]:
        open_page(question.address)
        show(f"The browser ends at {question.redirect_uri} with an error; paste that page's whole address here:")
        return pasted_redirect(await _line(), question)

    return person


async def _line() -> str:
    """One line of standard input; it is not read before it is there, so that a time limit can end the wait."""
    # A file is always readable, and the selector refuses to wait for one.
    with suppress(PermissionError):
        await trio.lowlevel.wait_readable(sys.stdin)
    return sys.stdin.readline()


def _addresses(way: Any) -> tuple[str, ...]:
    return (way.token_url,) if isinstance(way, OAuth2) else (way.login_url, way.renew_url)


def _origin(url: str) -> str:
    """The scheme, host and port of an address."""
    return "/".join(url.split("/", 3)[:3])


def login_id(broker: str, login: str, environment: str) -> LoginId:
    """Which login is meant."""
    return LoginId(broker, login, environment)


def value_from_person(broker: str, field: str) -> Secret:
    """The value from a hidden prompt, or from standard input where nobody sits; raises NoValue, UnknownField."""
    sentence = field_of(login_plan(broker), field).sentence
    if sys.stdin.isatty():
        text = getpass.getpass(f"{broker} {field} ({sentence}): ")
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise NoValue(field)
    return Secret(text)


def _id_of(login: LoginId) -> CredentialId:
    return CredentialId(login.broker, login.login, None, Environment(login.environment))


def moment(time_ns: Any, now_ns: int) -> str:
    """A moment as a distance from now, in words."""
    if time_ns is None:
        return "-"
    seconds = (int(time_ns) - now_ns) // _SECOND_NS
    words = _span(abs(seconds))
    return f"in {words}" if seconds >= 0 else f"{words} ago"


def _span(seconds: int) -> str:
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s"
