"""What an endpoint is."""

import re
from collections.abc import Callable

import attrs

from brokers.emulation.catalogue import Where
from brokers.emulation.web import Reply, Request, Streaming

Answer = Reply | Streaming
Handler = Callable[[Request, list[str]], Answer]


@attrs.frozen
class Route:
    """One endpoint: what its path looks like, which scope it needs, which quota it uses, and who answers it."""

    method: str
    path: re.Pattern[str]
    where: Where
    scope: str
    resource: str
    handler: Handler


def route(method: str, path: str, where: Where, scope: str, resource: str, handler: Handler) -> Route:
    """An endpoint whose path has `{}` where a part varies."""
    return Route(method, re.compile(path.replace("{}", "([^/]+)")), where, scope, resource, handler)
