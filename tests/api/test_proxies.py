"""Who is asking, and by which scheme: proxies are believed as far as they are stated, and no further."""

import contextlib
import http.client
import re

import pytest

from settings import BadSettings, Settings
from tests.service import running
from tests.small import colours

PRETENDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """The real service behind so many proxies, where each address may ask once a day."""
    folder = tmp_path_factory.mktemp("proxies")
    network = colours(folder / "network")

    def start(proxies, rate="1/day"):
        return running(folder, model=network, proxies=proxies, rate=rate)

    return start


def may_ask(service, *forwarded):
    """Whether whoever claims to be there may still ask; a header line for each text."""
    # By hand, as requests sends each header once.
    connection = http.client.HTTPConnection(service.address.removeprefix("http://"), timeout=60)
    with contextlib.closing(connection):
        connection.putrequest("GET", "/models")
        for text in forwarded:
            connection.putheader("X-Forwarded-For", text)
        connection.endheaders()
        status = connection.getresponse().status
    assert status in (200, 429)
    return status == 200


def predict_address(service, headers):
    """Where the service thinks it is; /docs tells."""
    page = service.get("/docs", headers=headers).text
    return re.search(r"curl -F image=@photo.jpg (\S+)</pre>", page)[1]


def test_without_a_proxy_nobody_can_pretend_to_be_somebody_else(started):
    with started(0) as service:
        assert may_ask(service)
        for n in range(5):
            assert not may_ask(service, f"192.0.2.{n}")
        assert not may_ask(service, "192.0.2.1, 192.0.2.2", "192.0.2.3")


def test_without_a_proxy_nobody_can_pretend_that_the_service_is_elsewhere(started):
    with started(0, rate="1000/second") as service:
        believed = predict_address(service, PRETENDED)
        assert believed == f"{service.address}/predict"
        # gunicorn's own default believes these from this machine, where a proxy passes them on.
        assert (
            predict_address(service, {"SCRIPT_NAME": "/evil", "X-Forwarded-SSL": "on"}) == believed
        )


def test_behind_one_proxy_only_the_address_that_it_saw_counts(started):
    with started(1) as service:
        assert may_ask(service, "192.0.2.1")
        assert not may_ask(service, "192.0.2.1")
        assert may_ask(service, "192.0.2.2")
        # What the client itself wrote stands to the left of what the proxy wrote.
        assert not may_ask(service, "203.0.113.9, 192.0.2.1")
        assert not may_ask(service, "203.0.113.9", "192.0.2.1")
        assert not may_ask(service, "203.0.113.9, 10.0.0.1, 192.0.2.2")
        believed = predict_address(service, PRETENDED)
        assert believed == service.address.replace("http:", "https:") + "/predict"


def test_behind_two_proxies_the_address_that_the_first_saw_counts(started):
    with started(2) as service:
        assert may_ask(service, "192.0.2.1, 10.0.0.1")
        assert not may_ask(service, "203.0.113.9, 192.0.2.1, 10.0.0.2")
        assert may_ask(service, "192.0.2.2, 10.0.0.1")
        # Somebody came in past the first proxy: the one address is not that of a client's proxy.
        assert may_ask(service, "192.0.2.1")
        assert not may_ask(service, "192.0.2.99")


@pytest.mark.parametrize("text", ["-1", "10", "all", "1.5"])
def test_a_number_of_proxies_that_is_none_stops_the_start(text):
    with pytest.raises(BadSettings, match=r"SHIWU_PROXIES=.* is not a whole number from 0 to 9"):
        Settings.from_environment({"SHIWU_PROXIES": text})
