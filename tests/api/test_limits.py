"""Rates: how much somebody may ask, by key or address, counted here or in a real Redis."""

import base64
import contextlib
import io
import socket
import subprocess
import threading
import time

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from api import keys
from api import limits as rules
from api.access import network
from api.limits import Limits, Local, Rate, Shared, TooManyRequests, rate_of
from tests.service import free_port
from tests.small import photo


class Redis:
    """A real redis-server that can be stopped and started again on its port."""

    def __init__(self, program, folder):
        self._command = [program, "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.port = free_port()
        self.address = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self):
        command = [*self._command, "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        with redis.Redis(port=self.port) as client:
            while True:
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    return
                assert time.monotonic() < end, "Redis did not start"
                time.sleep(0.02)

    def stop(self):
        self._process.terminate()
        self._process.wait(timeout=20)


@pytest.fixture
def server(tmp_path, program):
    started = Redis(program("redis-server"), tmp_path)
    yield started
    started.stop()


@pytest.fixture(params=["local", "shared"])
def counts(request):
    return (
        Local() if request.param == "local" else Shared(request.getfixturevalue("server").address)
    )


def ask(client, photos=1, **options):
    files = [(io.BytesIO(photo("red")), "x.jpg") for _ in range(photos)]
    return client.post("/predict", data={"image": files}, **options)


def statuses(client, times, **options):
    return [ask(client, **options).status_code for _ in range(times)]


def test_so_many_may_come_at_once_and_then_one_at_its_pace():
    now = [1000.0]
    counts = Local(lambda: now[0])
    rate = Rate(60, "minute")
    assert [counts.wait_s("a", rate, 1) for _ in range(60)] == [0] * 60
    assert counts.wait_s("a", rate, 1) == pytest.approx(1)
    now[0] += 1
    assert counts.wait_s("a", rate, 1) == 0
    assert counts.wait_s("a", rate, 1) == pytest.approx(1)
    now[0] += 60
    assert [counts.wait_s("a", rate, 1) for _ in range(61)][-2:] == [0, pytest.approx(1)]


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 5)), max_size=60))
def test_in_any_stretch_of_time_no_more_is_let_in_than_at_once_and_at_its_pace(asked):
    now = [0.0]
    counts, rate = Local(lambda: now[0]), Rate(10, "minute")
    let_in = []
    for pause, cost in asked:
        now[0] += pause
        if counts.wait_s("a", rate, cost) == 0:
            let_in.append((now[0], cost))
    for begin, _ in let_in:
        for end in (when for when, _ in let_in if when >= begin):
            cost = sum(cost for when, cost in let_in if begin <= when <= end)
            assert cost <= 10 + (end - begin) / 6 + 1e-6


def test_whoever_waits_as_long_as_is_said_is_let_in(counts):
    rate = Rate(20, "second")
    while (wait := counts.wait_s("a", rate, 1)) == 0:
        pass
    assert 0 < wait <= 0.06
    time.sleep(wait)
    assert counts.wait_s("a", rate, 1) == 0


@pytest.mark.parametrize("rate", ["999999999/second", "999999999/day", "1/day"])
def test_the_fastest_and_the_slowest_rate_count(counts, rate, caplog):
    assert counts.wait_s("a", rate_of(rate), 1) == 0
    assert (counts.wait_s("a", rate_of(rate), 1) > 0) == (rate == "1/day")
    assert not caplog.records


def test_what_is_refused_is_not_counted(counts):
    rate = Rate(3, "hour")
    assert counts.wait_s("a", rate, 2) == 0
    assert [counts.wait_s("a", rate, 2) > 0 for _ in range(5)] == [True] * 5
    assert counts.wait_s("a", rate, 1) == 0


def test_callers_don_t_count_for_one_another(counts):
    rate = Rate(1, "hour")
    assert [counts.wait_s(caller, rate, 1) > 0 for caller in "abab"] == [False, False, True, True]


def test_many_at_once_are_counted_one_by_one(counts):
    rate, let_in = Rate(50, "hour"), []

    def client():
        let_in.extend(counts.wait_s("a", rate, 1) == 0 for _ in range(20))

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(let_in) == 50


def test_a_process_keeps_a_bounded_number_of_callers_in_mind(monkeypatch):
    """Whoever has a whole network of IPv6 addresses must not fill the memory with them."""
    monkeypatch.setattr(rules, "MOST_CALLERS", 4000)
    counts = Local(lambda: 1.0)
    for n in range(20_000):
        counts.wait_s(f"2001:db8:{n:x}::/64", Rate(60, "day"), 1)
        assert len(counts._due) <= 4001


@pytest.mark.parametrize(
    "text", ["60", "0/minute", "-1/minute", "1/fortnight", "1.5/second", "", "a" * 99]
)
def test_what_is_no_rate_is_refused_in_words(text):
    with pytest.raises(ValueError, match=r"is no rate; write a number and a time, as in 60/minute"):
        rate_of(text)


def test_too_much_is_429_and_says_when_to_come_back(make_app):
    client = make_app(rate="2/minute").test_client()
    assert statuses(client, 2) == [200, 200]
    reply = ask(client)
    assert reply.status_code == 429
    assert reply.json["error"]["code"] == "too_many_requests"
    assert 29 <= int(reply.headers["Retry-After"]) <= 30
    assert reply.json["error"]["message"].startswith("2/minute are allowed")


def test_several_photos_in_a_request_count_as_several(make_app):
    client = make_app(rate="10/hour").test_client()
    assert ask(client, photos=8).status_code == 200
    assert ask(client, photos=3).status_code == 429  # it counted as a request
    assert ask(client).status_code == 200
    assert ask(client).status_code == 429


def test_photos_in_a_tensor_count_as_several(make_app):
    client = make_app(rate="4/hour").test_client()
    data = [base64.b64encode(photo("red")).decode()] * 3
    tensor = {"name": "image", "datatype": "BYTES", "shape": [3], "data": data}
    replies = [client.post("/v2/models/Colours/infer", json={"inputs": [tensor]}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 429]


def test_more_photos_than_the_rate_are_never_let_in_and_that_is_said(make_app):
    client = make_app(rate="4/hour").test_client()
    reply = ask(client, photos=5)
    assert reply.status_code == 429
    assert reply.json["error"]["message"] == (
        "5 photos came in one request, and 4/hour are allowed; send fewer at once"
    )
    assert "Retry-After" not in reply.headers
    assert ask(client, photos=3).status_code == 200


def test_health_metrics_the_page_and_preflights_are_not_counted(make_app):
    client = make_app(rate="1/day").test_client()
    for path in ["/healthz", "/readyz", "/metrics", "/", "/web/page.js"] * 2:
        assert client.get(path).status_code == 200
    assert client.options("/predict").status_code == 200
    assert statuses(client, 2) == [200, 429]


def test_addresses_that_don_t_exist_are_counted_as_well(make_app):
    client = make_app(rate="1/day").test_client()
    assert [client.get("/nothing").status_code for _ in range(2)] == [404, 429]


def test_each_address_has_its_own_count(make_app):
    client = make_app(rate="1/day").test_client()

    def at(address):
        return {"environ_overrides": {"REMOTE_ADDR": address}}

    assert statuses(client, 2, **at("192.0.2.1")) == [200, 429]
    assert statuses(client, 2, **at("192.0.2.2")) == [200, 429]


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("", ""),
        ("x" * 9000, "x" * 64),
    ],
)
def test_an_ipv6_household_is_one_caller_and_a_port_makes_no_other(address, caller):
    assert network(address) == caller


def test_a_key_has_its_own_count_and_perhaps_its_own_rate(make_app, tmp_path):
    file = tmp_path / "keys"
    slow, fast = keys.add(file, "slow"), keys.add(file, "fast", "3/day")
    client = make_app(keys=str(file), rate="1/day").test_client()
    headers = {key: {"headers": {"Authorization": f"Bearer {key}"}} for key in (slow, fast)}
    assert statuses(client, 2, **headers[slow]) == [200, 429]
    assert statuses(client, 4, **headers[fast]) == [200, 200, 200, 429]


def test_a_key_s_rate_changes_without_a_restart(make_app, tmp_path):
    file = tmp_path / "keys"
    key = keys.add(file, "phone", "1/day")
    client = make_app(keys=str(file)).test_client()
    headers = {"headers": {"Authorization": f"Bearer {key}"}}
    assert statuses(client, 2, **headers) == [200, 429]
    file.write_text(file.read_text().replace("1/day", "2/day"))
    assert statuses(client, 3, **headers) == [200, 200, 429]


def test_workers_that_share_a_redis_count_together(make_app, server):
    clients = [make_app(rate="3/hour", rate_redis=server.address).test_client() for _ in range(2)]
    assert [ask(client).status_code for client in clients * 2] == [200, 200, 200, 429]


def test_redis_forgets_who_has_nothing_on_his_count(server):
    counts = Shared(server.address)
    counts.wait_s("a", Rate(100, "second"), 1)
    with redis.Redis(port=server.port) as client:
        end = time.monotonic() + 5
        while client.dbsize():
            assert time.monotonic() < end
            time.sleep(0.01)


def test_without_redis_each_worker_counts_for_itself_and_says_so_once(server, caplog):
    counts, rate = Shared(server.address), Rate(2, "day")
    assert [counts.wait_s("a", rate, 1) for _ in range(2)] == [0, 0]
    server.stop()
    assert [counts.wait_s("a", rate, 1) > 0 for _ in range(3)] == [False, False, True]
    (line,) = [r for r in caplog.records if "is gone; each worker counts for itself" in r.message]
    assert line.levelname == "WARNING"


def test_when_redis_is_back_it_counts_again(server, caplog, monkeypatch):
    monkeypatch.setattr(rules, "REDIS_PAUSE_S", 0.0)
    counts, rate = Shared(server.address), Rate(1, "day")
    server.stop()
    assert counts.wait_s("a", rate, 1) == 0
    server.start()
    assert counts.wait_s("a", rate, 1) == 0  # Redis has forgotten, as it kept nothing on disk
    assert counts.wait_s("a", rate, 1) > 0
    assert "is back" in caplog.text


def test_a_redis_that_is_silent_holds_nobody_up_for_long(make_app):
    """Its door is open and nobody answers, as behind a firewall or on a stopped machine."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        client = make_app(rate="100/day", rate_redis=address).test_client()
        begun = time.monotonic()
        assert statuses(client, 20) == [200] * 20
        assert time.monotonic() - begun < 10


def test_no_rate_is_no_limit():
    for _ in range(1000):
        Limits(None).count("a", None)
        Limits(None).count_photos("a", None, 256)


def test_a_caller_s_own_rate_counts_where_the_others_have_none():
    limits = Limits(None)
    limits.count("a", Rate(1, "day"))
    with pytest.raises(TooManyRequests, match="1/day are allowed"):
        limits.count("a", Rate(1, "day"))
