"""Every setting is checked, and all problems are told at once."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from settings import BadSettings, Settings, table
from tests.service import begin, running
from tests.small import colours

ROOT = Path(__file__).resolve().parent.parent


def problems(environment=None, arguments=()):
    with pytest.raises(BadSettings) as bad:
        Settings.from_command_line(arguments, environment or {})
    return str(bad.value).splitlines()


def test_nothing_given_serves_the_network_in_the_box_on_loopback():
    settings = Settings.from_environment({})
    assert (settings.model, settings.host, settings.port) == (("ShiwuNet",), "127.0.0.1", 5000)


def test_several_networks_are_divided_by_commas():
    assert Settings.from_environment({"SHIWU_MODEL": "A, B,C"}).model == ("A", "B", "C")


def test_options_win_over_variables():
    environment = {"SHIWU_PORT": "1", "SHIWU_QUEUE": "3"}
    settings = Settings.from_command_line(["--port", "2", "--offline"], environment)
    assert (settings.port, settings.queue, settings.offline) == (2, 3, True)


def test_all_problems_are_told_at_once_each_naming_itself():
    environment = {"SHIWU_PORT": "lots", "SHIWU_QUEU": "3", "SHIWU_DEADLINE_S": "nan"}
    assert sorted(problems(environment, ["--prescision", "f32", "--fit=squash"])) == [
        "--fit='squash' is not crop or stretch",
        "--prescision is no setting of Shiwu; the nearest is --precision",
        "SHIWU_DEADLINE_S='nan' is not a number of seconds from 0.1 to 300",
        "SHIWU_PORT='lots' is not a whole number from 1 to 65535",
        "SHIWU_QUEU is no setting of Shiwu; the nearest is SHIWU_QUEUE",
    ]


@pytest.mark.parametrize("model", [",", "A,,B", " "])
def test_an_empty_network_name_is_refused(model):
    assert "SHIWU_MODEL" in problems({"SHIWU_MODEL": model})[0]


def test_a_stray_word_is_named():
    assert problems(arguments=["ResNet50"]) == [
        "'ResNet50' is no option; to choose a network: --model ResNet50"
    ]


def test_a_variable_in_mixed_case_is_not_silently_ours():
    assert problems({"Shiwu_Port": "5"}) == [
        "Shiwu_Port is no setting of Shiwu; the nearest is SHIWU_PORT"
    ]


def test_paths_are_made_absolute_and_a_tilde_is_home():
    settings = Settings.from_environment({"SHIWU_CACHE": "here", "SHIWU_WEIGHTS": "~/w.h5"})
    assert settings.cache == Path.cwd() / "here"
    assert settings.weights == Path.home() / "w.h5"


def test_a_port_in_use_stops_the_start_at_once_with_a_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = start(
            "--port", str(taken.getsockname()[1]), "--model", str(colours(tmp_path / "n"))
        )
    assert ended.returncode == 1
    assert "SHIWU_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_empty_variable_counts_as_not_given():
    assert Settings.from_environment({"SHIWU_PORT": ""}).port == 5000


def test_settings_survive_the_way_through_the_environment():
    settings = Settings.from_command_line(["--model", "A,B", "--offline", "--deadline-s=2"], {})
    assert Settings.from_environment(settings.as_environment()) == settings


def test_every_row_of_the_table_says_what_is_allowed_and_what_it_means():
    for variable, _, allowed, meaning in table():
        assert allowed, variable
        assert meaning, variable


def start(*arguments, **environment):
    command = [sys.executable, "app.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={"PATH": "", **environment}, capture_output=True, text=True
    )


def test_help_lists_every_setting_with_its_default():
    shown = " ".join(start("--help").stdout.split())
    for variable, default, allowed, _ in table():
        assert "--" + variable.removeprefix("SHIWU_").lower().replace("_", "-") in shown
        assert default in shown
        assert allowed in shown


def test_a_bad_setting_stops_the_start_with_sentences_and_no_traceback():
    ended = start("--model", "MobilNetV2", SHIWU_PRT="3")
    assert ended.returncode == 1
    assert "SHIWU_PRT is no setting of Shiwu; the nearest is SHIWU_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_starts_from_any_folder_with_paths_relative_to_it(tmp_path):
    with running(tmp_path, model=colours(tmp_path / "network").name, cwd=tmp_path) as service:
        assert service.get("/readyz").status_code == 200


def test_a_store_that_cannot_be_used_stops_the_start_with_a_sentence(tmp_path):
    (tmp_path / "images").mkdir(mode=0o755)
    service = begin(tmp_path, model=colours(tmp_path / "network"), images=tmp_path / "images")
    assert service.process.wait(timeout=60) != 0
    assert "chmod 700" in service.log.read_text()
    assert "Traceback" not in service.log.read_text()


def test_an_unknown_network_stops_the_start_and_names_the_nearest():
    ended = start("--model", "MobilNetV2")
    assert ended.returncode == 1
    assert "MobileNetV2" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"SHIWU_ON_REQUEST": "MobileNet"}, "SHIWU_ON_REQUEST needs SHIWU_MEMORY"),
        (
            {"SHIWU_ON_REQUEST": "all,MobileNet", "SHIWU_MEMORY": "1000000000"},
            "SHIWU_ON_REQUEST: `all` stands alone",
        ),
    ],
)
def test_settings_that_don_t_go_together_are_told(given, says):
    with pytest.raises(BadSettings, match=says):
        Settings.from_environment(given)
