"""The comparison with other servers, run for real, as short as can be."""

from benchmarks import peers
from tests.benchmarks import commands

WEIGHTS = "data/weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"


def test_servers_answer_every_photo_in_turns_and_the_result_names_its_machine(
    shared, program, compiled, tmp_path
):
    """The command that README names works on any machine; how fast is not for a test to say."""
    program("wrk")
    given = ["--photos", shared / "data/photos/elephant.jpg", "--weights", shared / WEIGHTS]
    short = ["--models", "MobileNetV2", "--sizes", "500x375", "--only", "flask"]
    short += ["--rounds", 2, "--seconds", 0.5]
    result = commands.measured("peers", tmp_path, *given, *short, SHIWU_CACHE=compiled)
    medians, every = result.tables
    expected = [["limit, no HTTP", "f32"], ["Shiwu", "f32"], ["Flask's own", "Keras"]]
    assert [row[2:4] for row in medians] == expected
    assert [row[2:4] for row in every] == expected * 2
    assert all(float(row[4]) > 0 for row in medians)
    for row in result.found["rounds"][:3]:
        assert row["times_tutorial"] == row["per_s"] / result.found["rounds"][2]["per_s"]
    for fact in ("processor", "versions", "flask 3", "photos given", "python -m benchmarks.peers"):
        assert fact in result.text
    assert "--photos elephant.jpg" in result.text, "not where it lies on this machine"
    assert min(result.picture) > 200


def test_ours_is_held_against_the_best_other_with_the_same_photo_and_the_same_inside():
    def row(server, inside, per_s, photo="small"):
        return {"photo": photo, "server": server, "inside": inside, "per_s": per_s}

    ours = row(peers.OURS, "f32", 120.0)
    others = [row("LitServe", peers.KERAS, 20.0), row("LitServe", peers.ENGINE, 60.0)]
    others += [row("BentoML", peers.KERAS, 30.0), row("BentoML", peers.ENGINE, 100.0, "big")]
    others += [row(peers.TUTORIAL, peers.KERAS, 40.0), row(peers.LIMIT, "f32", 200.0)]
    found = peers._against_others(ours, [ours, *others])
    assert found == {"times_keras": 4.0, "times_engine": 2.0}
    assert peers._against_others(ours, [ours]) == {}


def test_what_can_not_be_measured_is_said_in_a_sentence_and_nothing_is_written(program, tmp_path):
    program("wrk")
    missing = tmp_path / "weights.h5"
    ran = commands.run("peers", "--weights", missing, "--results", tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("Not measured: ")
    assert str(missing) in ran.stderr
    assert not list(tmp_path.iterdir())
