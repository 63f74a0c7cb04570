"""The network in the box does what its model card says."""

import json

from models import folder
from tests.training.conftest import ROOT, run
from training.evaluate import interval

BOX = ROOT / "models" / "bundled"
MEGABYTE = 1_000_000


def test_the_evaluation_command_reprints_the_cards_figures(shared):
    """On a tenth of the validation pictures, within what a tenth can say."""
    data = shared / "data" / "tiny-imagenet-tenth.tar.gz"
    ran = run("evaluate", "--model", BOX, "--data", data, "--json")
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(ran.stdout)
    card = folder.load(BOX)
    assert figures["pictures"] == 1000
    for name, said in (("top1", card.top1), ("top5", card.top5)):
        low, high = interval(figures[name], figures["pictures"])
        assert low < said < high


def test_the_box_is_small():
    """It travels with every clone and every container."""
    assert sum(path.stat().st_size for path in BOX.rglob("*") if path.is_file()) < 25 * MEGABYTE
