"""deploy/kubernetes fits Kubernetes' published schemas, itself, and the service."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from app import create_app
from models import zoo
from serving.room import resident_bytes
from settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
RESOURCES = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.stem != "kustomization"
}
KSERVE = RESOURCES.pop("inferenceservice")
POD = RESOURCES["deployment"]["spec"]["template"]
# What KServe adds to the PodSpec that a predictor is.
KSERVES_OWN = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"}
PREDICTOR = {
    name: value for name, value in KSERVE["spec"]["predictor"].items() if name not in KSERVES_OWN
}
SPECS = {"deployment": POD["spec"], "kserve": PREDICTOR}
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def megabytes(amount: str) -> int:
    return int(amount[:-2]) * UNITS[amount[-2:]] // 2**20


def only(spec: dict) -> dict:
    (container,) = spec["containers"]
    return container


def environment(spec: dict) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in only(spec).get("env", [])}


def settings(spec: dict) -> Settings:
    return Settings.from_environment(environment(spec))


@pytest.fixture(scope="module")
def routes() -> set[str]:
    return {rule.rule for rule in create_app(Settings()).url_map.iter_rules()}


@pytest.mark.parametrize("version", ["1.31", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("name", RESOURCES)
def test_the_published_schemas_allow_it(name, version):
    kubernetes_validate.validate(RESOURCES[name], version, strict=True)


def test_the_predictor_of_kserve_is_a_pod_that_the_schemas_allow():
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shiwu"}, "spec": PREDICTOR}
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


def test_a_misspelt_word_would_be_found():
    service = RESOURCES["service"] | {"spec": {"prots": []}}
    with pytest.raises(kubernetes_validate.ValidationError, match="prots"):
        kubernetes_validate.validate(service, kubernetes_validate.latest_version(), strict=True)


def test_kustomize_is_given_every_file_but_that_for_kserve():
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
    assert sorted(kustomization["resources"]) == sorted(f"{name}.yaml" for name in RESOURCES)
    assert [image["name"] for image in kustomization["images"]] == [only(POD["spec"])["image"]]


def test_everything_is_about_the_pods_of_the_deployment():
    """An empty selector would mean every pod of the namespace."""
    labels = POD["metadata"]["labels"]
    (spread,) = POD["spec"]["topologySpreadConstraints"]
    assert labels
    assert RESOURCES["deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert RESOURCES["service"]["spec"]["selector"] == labels
    assert RESOURCES["disruption"]["spec"]["selector"]["matchLabels"] == labels
    assert RESOURCES["network"]["spec"]["podSelector"]["matchLabels"] == labels
    assert spread["labelSelector"]["matchLabels"] == labels
    assert RESOURCES["autoscaler"]["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": RESOURCES["deployment"]["metadata"]["name"],
    }


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_it_meets_the_restricted_pod_security_standard(spec):
    """And its root is read-only, with memory for a /tmp."""
    pod, container = spec["securityContext"], only(spec)["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert f"USER {pod['runAsUser']}:{pod['runAsGroup']}" in DOCKERFILE
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    (volume,) = spec["volumes"]
    assert volume["emptyDir"]["medium"] == "Memory"
    assert only(spec)["volumeMounts"] == [{"name": volume["name"], "mountPath": "/tmp"}]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_service_of_the_same_name_sets_no_variables(spec):
    """SHIWU_PORT=tcp://… would stop the start."""
    assert spec["enableServiceLinks"] is False


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_it_may_take_as_long_to_end_as_it_needs(spec):
    given = settings(spec)
    assert spec["terminationGracePeriodSeconds"] > 2 * given.drain_s + given.deadline_s + 5


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_there_is_memory_for_the_network_kept_pictures_and_uploads(spec):
    given, resources = settings(spec), only(spec)["resources"]
    (volume,) = spec["volumes"]
    pictures = megabytes(volume["emptyDir"]["sizeLimit"])
    cores = int(resources["limits"]["cpu"])
    uploads = (given.queue + cores) * given.max_bytes / 2**20
    network = resident_bytes(zoo.card("ResNet50")) / 2**20
    assert pictures * 2**20 > 1.1 * given.images_bytes
    assert megabytes(resources["limits"]["memory"]) > network + pictures + uploads


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_its_probes_ask_addresses_that_there_are(spec, routes):
    container = only(spec)
    (port,) = container["ports"]
    probes = [value["httpGet"] for name, value in container.items() if name.endswith("Probe")]
    assert {probe["path"] for probe in probes} <= routes
    assert {probe["port"] for probe in probes} <= {port.get("name"), port["containerPort"]}
    assert f"EXPOSE {port['containerPort']}\n" in DOCKERFILE


def test_a_pod_that_is_loading_or_busy_is_not_killed():
    """Readiness is what goes; whether it lives is another question."""
    container = only(POD["spec"])
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 60


def test_it_is_away_from_the_balancers_before_it_closes_the_door():
    probe = only(POD["spec"])["readinessProbe"]
    assert settings(POD["spec"]).drain_s >= probe["periodSeconds"] * probe["failureThreshold"]


def test_nothing_goes_out():
    policy = RESOURCES["network"]["spec"]
    assert "Egress" in policy["policyTypes"]
    assert policy["egress"] == []


def test_strangers_reach_every_address_but_those_for_the_cluster(routes):
    (rule,) = RESOURCES["ingress"]["spec"]["rules"]
    paths = {path["path"]: path["pathType"] for path in rule["http"]["paths"]}
    opened = {route for route in routes if "/" + route.split("/")[1] in paths}
    assert paths.pop("/") == "Exact"
    assert set(paths.values()) == {"Prefix"}
    assert routes - opened == {"/metrics", "/healthz", "/readyz", "/static/<path:filename>"}


def test_the_ingress_takes_what_the_proxy_of_compose_does():
    annotations = RESOURCES["ingress"]["metadata"]["annotations"]
    proxy = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    for name in ("client-max-body-size", "proxy-read-timeout"):
        (said,) = re.findall(rf"{name.replace('-', '_')} (\S+);", proxy)
        assert annotations[f"nginx.org/{name}"] == said


def test_kserve_scales_as_the_autoscaler_does():
    predictor, autoscaler = KSERVE["spec"]["predictor"], RESOURCES["autoscaler"]["spec"]
    (metric,) = autoscaler["metrics"]
    assert predictor["minReplicas"] == autoscaler["minReplicas"]
    assert predictor["maxReplicas"] == autoscaler["maxReplicas"]
    assert predictor["scaleMetric"] == metric["resource"]["name"]
    assert predictor["scaleTarget"] == metric["resource"]["target"]["averageUtilization"]
