"""Five hundred hostile pictures of our own making, really sent by several clients.

Those that broke other services are sent in tests/end_to_end/test_hostile.py.
"""

import zlib

import pytest

from tests.hostile.pictures import FAMILIES, cases
from tests.hostile.run import send_all
from tests.service import running


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(tmp_path_factory.mktemp("hostile"), deadline_s=120) as started:
        yield started


def test_five_hundred_of_all_families_are_answered_or_refused(service):
    run = send_all(service, cases(500), clients=3)
    print(run)
    assert run.problems() == []
    assert run.statuses.total() == 500 + len(run.late)


def test_a_sample_holds_every_family_and_is_the_same_each_time():
    names = [case.name for case in cases(500)]
    assert {name.split("-")[0] for name in names} == {family.__name__ for family in FAMILIES}
    assert _checksums() == _checksums()


def _checksums():
    return {case.name: zlib.crc32(case.data) for case in cases(300)}
