"""The whole app in this process, with a small real network."""

import pytest

from api.app import predictor
from app import create_app
from settings import Settings
from tests.small import colours


@pytest.fixture(scope="session")
def network_folder(tmp_path_factory):
    folder = colours(tmp_path_factory.mktemp("networks") / "colours")
    chinese = "c0\t红色\nc1\t绿色\nc2\t蓝色\n"
    (folder / "labels.zh.tsv").write_text(chinese, encoding="utf-8")
    return folder


@pytest.fixture
def make_app(tmp_path, network_folder):
    """Make an app with the settings given; its threads end with the test."""
    made = []

    def make(load=True, **settings):
        given = {"model": (str(network_folder),), "images": str(tmp_path / "images"), **settings}
        app = create_app(Settings(**given))
        made.append(app)
        if load:
            predictor(app).load()
        return app

    yield make
    for app in made:
        predictor(app).close()


@pytest.fixture
def client(make_app):
    return make_app().test_client()
