"""How long each network takes for a photo here, and a picture of that against its accuracy.

    python -m benchmarks.zoo                    measure what is lacking, draw docs/networks.png
    python -m benchmarks.zoo ResNet50 VGG16     measure these two again
    python -m benchmarks.zoo --draw             only draw

What is measured is a core's own time, which others on the machine don't add to: the service, too,
gives each photo one core. One process a network, so that the memory of one is gone before the
next. Weights don't matter to speed, so random ones are taken and nothing is downloaded. The result
is one file for a machine; it is written after each network, and a run that was stopped goes on
where it ended.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from models import zoo
from models.card import Card

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "networks.png"
PACKAGES = ("openvino", "keras", "tensorflow-cpu", "numpy")
HOW = "OpenVINO, f32, one photo at a time on one core, its own time; medians"


def main(arguments: Sequence[str]) -> None:
    """Measure, write the result after each network, and draw it."""
    given = _parser().parse_args(arguments)
    if given.one:
        print(json.dumps(measured(zoo.card(given.one), given.seconds)))
        return
    result = given.results / f"zoo-{machine.name()}.json"
    found = json.loads(result.read_text(encoding="utf-8")) if result.exists() else {"networks": {}}
    if not given.draw:
        every = [name for name in zoo.names() if zoo.card(name).weights]
        names = given.names or [name for name in every if name not in found["networks"]]
        for number, name in enumerate(names, start=1):
            found["networks"][name] = _apart(name, given.seconds)
            told = f"{found['networks'][name]['ms']:.1f} ms"
            print(f"{number} of {len(names)}: {name}: {told}", flush=True)
            found["facts"] = machine.described(PACKAGES) | {"how": HOW}
            _write(result, found)
    if given.picture:
        from benchmarks import plot

        plot.draw(found, given.picture)
        print(f"Drawn: {given.picture}")


def measured(card: Card, seconds: float) -> dict[str, Any]:
    """What one photo takes: median and 90th percentile in milliseconds of a core, and the runs."""
    import numpy as np
    import openvino

    compiled = openvino.compile_model(
        _network(card), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    )
    request = compiled.create_infer_request()
    side = card.input_size
    photo = np.random.default_rng(1).integers(0, 256, (1, side, side, 3), np.uint8)
    times = _times(lambda: request.infer([photo]), seconds)
    ninth = statistics.quantiles(times, n=10)[-1]
    return {"ms": statistics.median(times), "p90_ms": ninth, "runs": len(times)}


def _network(card: Card) -> Any:
    """The network with random weights, as OpenVINO reads it from Keras."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import openvino

    from models.build import build

    return openvino.convert_model(build(card, None))


def _times(run: Callable[[], object], seconds: float) -> list[float]:
    """Milliseconds of a core for each run that fits into some seconds, five at least, after two."""
    run(), run()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        begun = time.process_time()
        run()
        times.append((time.process_time() - begun) * 1000)
    return times


def _apart(name: str, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.zoo", "--one", name, "--seconds", str(seconds)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{name} could not be measured:\n{ran.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return figures | {"measured": datetime.datetime.now(datetime.UTC).date().isoformat()}


def _write(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    fresh.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.zoo",
        description="Time each network on this machine, and draw accuracy against time.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    what = "to measure, even again; those that the result lacks, if none"
    parser.add_argument("names", nargs="*", metavar="name", help=what)
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring, for each")
    parser.add_argument("--draw", action="store_true", help="measure nothing, only draw")
    results = ROOT / "benchmarks" / "results"
    parser.add_argument("--results", type=Path, default=results, help="where the result goes")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="where the picture goes")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
