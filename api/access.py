"""Who may ask what, and how often: closed addresses, keys, rates. What isn't set costs nothing."""

import ipaddress
from functools import partial

import flask
from werkzeug.middleware.proxy_fix import ProxyFix

from api.errors import NotFound
from api.keys import Key, Keyring, NoKey, WrongKey
from api.limits import Limits, Rate, rate_of
from settings import Settings

# What load balancers ask, and what is the same for everybody: the page and the description.
OPEN = frozenset(
    {"api.healthz", "api.readyz", "v2.live", "v2.ready"}
    | {"page.home", "page.file", "api.docs", "api.openapi_json"}
)
# Against a rate: who watches a service that has much to do must not be shut out by that; what costs
# something to write, as the description does, counts.
NOT_COUNTED = OPEN - {"api.docs", "api.openapi_json"} | {"api.prometheus"}
_CLOSABLE = {"docs": {"api.docs", "api.openapi_json"}, "metrics": {"api.prometheus"}}


def register(app: flask.Flask, settings: Settings) -> None:
    """Put the doors that the settings ask for before the app.

    Raises:
        SettingsError: the file of keys can't be read, or the address of Redis is none.
    """
    if settings.proxies:
        # Of what may be many addresses, the one that the outermost of our own proxies saw.
        fixed = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=0)
        app.wsgi_app = fixed  # type: ignore[method-assign]  # as Flask documents it
    if settings.closed:
        closed = frozenset[str]().union(*(_CLOSABLE[name] for name in settings.closed))
        app.before_request(partial(_refuse, closed))
    if settings.keys:
        app.before_request(partial(_ask_for_key, Keyring(settings.keys)))
    if settings.keys or settings.rate:
        rate = rate_of(settings.rate) if settings.rate else None
        limits = Limits(rate, settings.rate_redis)
        app.extensions["shiwu_limits"] = limits
        app.before_request(partial(_count, limits))


def count_photos(photos: int) -> None:
    """Count the photos of this request, where there is a rate; called before they are looked at.

    Raises:
        TooManyRequests: they are more than the caller's rate allows.
    """
    limits: Limits | None = flask.current_app.extensions.get("shiwu_limits")
    if limits and photos > 1:
        limits.count_photos(*_caller(), photos)


def _refuse(closed: frozenset[str]) -> None:
    if flask.request.endpoint in closed:
        raise NotFound("this address is closed here (SHIWU_CLOSED)")


def _ask_for_key(keyring: Keyring) -> None:
    # A browser's preflight never brings a key, and asks for nothing.
    if flask.request.endpoint in OPEN or flask.request.method == "OPTIONS":
        return
    scheme, _, given = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise NoKey
    key = keyring.find(given.strip())
    if key is None:
        raise WrongKey
    flask.g.key = key


def _count(limits: Limits) -> None:
    if flask.request.endpoint not in NOT_COUNTED and flask.request.method != "OPTIONS":
        limits.count(*_caller())


def _caller() -> tuple[str, Rate | None]:
    """Who is asking, by key or else by address, and the rate that is his own."""
    key: Key | None = flask.g.get("key")
    if key:
        return f"key:{key.name}", key.rate
    return f"address:{network(flask.request.remote_addr or '')}", None


def network(address: str) -> str:
    """What of an address stands for one caller: all of IPv4, the /64 of a household for IPv6.

    Some proxies write a port behind the address, which differs with each connection.
    """
    bare = address.strip("[]") if address.count(":") != 1 else address.split(":")[0]
    bare = bare.split("]")[0]
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found.packed[:8] + bytes(8), 64)))
    return str(found)
