"""The dashboard's and the alerts' questions, asked of a real Prometheus that scrapes the service."""

import json
import math
import re
import subprocess
import time
from pathlib import Path

import pytest
import requests

from tests import small
from tests.service import free_port, running

ROOT = Path(__file__).resolve().parent.parent.parent
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text(encoding="utf-8"))
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
QUESTIONS = [
    (panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]
]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with running(folder, model=small.colours(folder / "colours")) as started:
        yield started


@pytest.fixture(scope="module")
def prometheus(service, tmp_path_factory, program):
    """Its address; it asks the service four times a second."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    target = service.address.removeprefix("http://")
    scrape = {"job_name": "shiwu", "static_configs": [{"targets": [target]}]}
    said = {
        "global": {"scrape_interval": "250ms", "evaluation_interval": "250ms"},
        "scrape_configs": [scrape],
        "rule_files": [str(ALERTS)],
    }
    (folder / "prometheus.yml").write_text(json.dumps(said))  # JSON is YAML
    command = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=30)


def use(service):
    """A request of each kind that the dashboard tells apart."""
    photo = small.photo("red")
    assert service.predict(photo).status_code == 200
    assert service.predict(b"no picture").status_code == 415
    assert service.get("/nothing").status_code == 404
    service.post("/explain", files={"image": photo})


def ask(prometheus, expression):
    """The values that an expression has now; none if there is no such data, or it is no number.

    None, too, while Prometheus starts: first nobody listens, then it says 503.
    """
    expression = expression.replace("$__rate_interval", "20s").replace("$instance", ".*")
    assert "$" not in expression
    try:
        reply = requests.get(f"{prometheus}/api/v1/query", params={"query": expression}, timeout=20)
    except requests.ConnectionError:
        return []
    if reply.status_code == 503:
        return []
    said = reply.json()
    assert said["status"] == "success", said
    values = [float(series["value"][1]) for series in said["data"]["result"]]
    return [value for value in values if not math.isnan(value)]


@pytest.mark.parametrize(("title", "expression"), QUESTIONS)
def test_every_query_of_the_dashboard_returns_data(prometheus, service, title, expression):
    end = time.monotonic() + 60
    while not (values := ask(prometheus, expression)):
        assert time.monotonic() < end, f"{title}: no data for {expression}"
        use(service)
    assert all(0 <= value < 1e6 for value in values)


def test_the_dashboard_counts_what_was_asked(prometheus, service):
    """Not any number: as many photos as were sent."""
    before = 'sum(shiwu_photos_total{outcome="ok"})'
    use(service)
    line = re.compile(r'^shiwu_photos_total\{outcome="ok"\} (\d+)', re.MULTILINE)
    end = time.monotonic() + 30
    while True:
        (counted,) = ask(prometheus, before) or (0,)
        if counted == float(line.search(service.get("/metrics").text).group(1)) > 0:
            break
        assert time.monotonic() < end


def test_every_metric_of_ours_that_a_query_names_exists(service):
    use(service)
    exposed = service.get("/metrics").text
    questions = [expression for _, expression in QUESTIONS] + [ALERTS.read_text()]
    named = {name for one in questions for name in re.findall(r"\bshiwu_[a-z_]+", one)}
    assert len(named) > 8
    assert {
        name for name in named if not re.search(rf"^{name}[ {{]", exposed, re.MULTILINE)
    } == set()


def test_the_dashboard_has_the_shape_that_grafana_reads():
    assert DASHBOARD["schemaVersion"] >= 36
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        assert panel["type"] in ("timeseries", "stat")
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        at = panel["gridPos"]
        squares = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not squares & taken, f"{panel['title']} lies on another"
        assert max(x for x, _ in squares) < 24
        taken |= squares
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) - {"__rate_interval"}
    assert used == variables


def test_the_alerts_are_rules_that_prometheus_reads(program):
    said = subprocess.run(
        [program("promtool"), "check", "rules", str(ALERTS)], capture_output=True, text=True
    )
    assert said.returncode == 0, said.stdout + said.stderr


FIRES = {
    "ShiwuNotReady": {'shiwu_ready{job="a"}': "0x20"},
    "ShiwuGone": {'up{job="a"}': "0x20"},
    "ShiwuFails": {
        'shiwu_ready{job="a"}': "1x20",
        'shiwu_requests_total{job="a",outcome="internal",route="/predict"}': "0+1x20",
    },
    "ShiwuTooBusy": {
        'shiwu_ready{job="a"}': "1x20",
        'shiwu_requests_total{job="a",outcome="busy",route="/predict"}': "0+60x20",
        'shiwu_requests_total{job="a",outcome="ok",route="/predict"}': "0+600x20",
    },
    None: {
        'shiwu_ready{job="a"}': "1x20",
        'shiwu_requests_total{job="a",outcome="busy",route="/predict"}': "0+1x20",
        'shiwu_requests_total{job="a",outcome="ok",route="/predict"}': "0+600x20",
        'shiwu_requests_total{job="a",outcome="ok",route="/metrics"}': "0+60x20",
    },
}


@pytest.mark.parametrize("alert", FIRES, ids=str)
def test_an_alert_fires_on_what_it_is_for_and_on_nothing_else(tmp_path, program, alert):
    """Fifteen made minutes, by promtool's own test of rules."""
    names = [name for name in FIRES if name]
    series = [{"series": name, "values": values} for name, values in FIRES[alert].items()]
    cases = [{"interval": "1m", "input_series": series, "promql_expr_test": []}]
    cases[0]["promql_expr_test"] = [
        {
            "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)',
            "eval_time": "15m",
            "exp_samples": [{"labels": "{}", "value": float(name == alert)}],
        }
        for name in names
    ]
    (tmp_path / "test.yml").write_text(json.dumps({"rule_files": [str(ALERTS)], "tests": cases}))
    said = subprocess.run(
        [program("promtool"), "test", "rules", str(tmp_path / "test.yml")],
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stdout + said.stderr
