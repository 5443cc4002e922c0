"""What an endpoint is."""

import re
from collections.abc import Callable

import attrs

from brokers.emulation.catalogue import Where
from brokers.emulation.web import Reply, Request

Handler = Callable[[Request, list[str]], Reply]


@attrs.frozen
class Route:
    """One endpoint: its method, what its path looks like, the class of its requests, and who answers it."""

    method: str
    path: re.Pattern[str]
    where: Where
    handler: Handler


def route(method: str, path: str, where: Where, handler: Handler) -> Route:
    """An endpoint whose path has `{}` where a part varies."""
    return Route(method, re.compile(path.replace("{}", "([^/]+)")), where, handler)
