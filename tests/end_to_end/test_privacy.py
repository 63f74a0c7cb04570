"""Photos, and all that comes with them, stay in memory: a thousand requests leave no trace.

The kernel is the witness: strace writes down every file that any process of the service opens to
write, makes or renames. What was written, the log and everything under the service's own folders
are then searched for marks that each request carried in its photo, its names and its headers.
"""

import base64
import io
import json
import re
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.service import running

REQUESTS = 1000
MAX_BYTES = 2_000_000
TTL_S = 2
# Nobody writes this by chance.
MARK = "zq7Xmark"
# By which a file is made or written; and connections, as to a logger of the system's.
CALLS = "open,openat,openat2,creat,memfd_create,mknod,mknodat,rename,renameat,renameat2,link,linkat"
CALLS += ",symlink,symlinkat,truncate,connect"
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE")


def marked(what):
    return f"{MARK}-{what}"


def exif():
    """Tags with marks: who, what, where and when."""
    tags = Image.Exif()
    for tag in (
        0x010E,
        0x010F,
        0x0110,
        0x013B,
        0x8298,
    ):  # description, maker, model, artist, rights
        tags[tag] = marked(f"exif-{tag:x}")
    tags.get_ifd(0x8769)[0x9286] = f"ASCII\0\0\0{marked('exif-comment')}"
    tags.get_ifd(0x8825)[0x001D] = marked("exif-gps-day")
    tags[0x0112] = 6
    return tags


def photo(side, kind="JPEG", seed=1):
    """Noise, so that any piece of it is found again; with marks in all the metadata there is."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", marked("png-text"))
    known = {
        "JPEG": {"quality": 95, "comment": marked("jpeg-comment"), "exif": exif()},
        "PNG": {"pnginfo": text, "exif": exif()},
        "WEBP": {"exif": exif(), "xmp": marked("xmp").encode()},
        "GIF": {"comment": marked("gif-comment")},
        "TIFF": {"exif": exif()},
    }
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, kind, **known[kind])
    return encoded.getvalue()


SMALL, BIG, HUGE = photo(96), photo(900), photo(1700)
OTHERS = [photo(96, kind) for kind in ("PNG", "WEBP", "GIF", "TIFF")]
NAME = f"{MARK}-filename-ü.jpg"
HEADERS = {
    "User-Agent": marked("agent"),
    "Referer": f"https://example.com/{marked('referer')}",
    "Cookie": f"session={marked('cookie')}",
    "Authorization": f"Bearer {marked('key')}",
    "X-Forwarded-For": marked("forwarded"),
    "X-Request-Id": f"{marked('id')} with a blank, so that it is none",
    "Accept-Language": f"zh, {marked('language')}",
    "X-Custom": marked("custom"),
}


def multipart(content, **fields):
    return {"files": {"image": (NAME, content)}, "data": fields}


def raw(content, kind="image/jpeg"):
    return {"data": content, "headers": {"Content-Type": kind}}


def in_json(content, **options):
    return {"json": {"image": base64.b64encode(content).decode(), **options}}


def tensor(content):
    data = [base64.b64encode(content).decode()]
    one = {"name": "image", "datatype": "BYTES", "shape": [1], "data": data}
    return {"json": {"id": marked("v2-id"), "inputs": [one]}}


# What is asked, and the statuses that may come: so nothing is left out because it went wrong.
KINDS = [
    ("/predict", multipart(SMALL, top="3"), 200),
    ("/predict", multipart(BIG), 200),
    ("/predict", raw(SMALL), 200),
    ("/predict", raw(BIG), 200),
    ("/predict", in_json(SMALL), 200),
    ("/predict", in_json(BIG), 200),
    ("/predict", {"files": [("image", (NAME, one)) for one in (SMALL, BIG, b"no photo")]}, 200),
    *[("/predict", multipart(one), 200) for one in OTHERS],
    ("/image", multipart(BIG, width="64"), 200),
    ("/image?draw=labels", raw(SMALL), 200),
    ("/image", in_json(SMALL) | {"headers": {"Accept": "application/json"}}, 200),
    ("/explain", multipart(SMALL), 200),
    ("/features", multipart(BIG), 200),
    ("/v2/models/ShiwuNet/infer", tensor(SMALL), 200),
    ("/predict", multipart(BIG[: len(BIG) // 2]), 422),
    ("/predict", raw(SMALL[:700]), 422),
    *[("/predict", raw(one[: len(one) * 2 // 3]), 422) for one in OTHERS],
    ("/predict", multipart(marked("no photo").encode() * 50), 415),
    ("/predict", multipart(HUGE), 413),
    ("/predict", multipart(SMALL, **{marked("option"): "1"}), 400),
    ("/predict", multipart(SMALL, top=marked("value")), 400),
    ("/predict", multipart(SMALL, model=marked("model")), 400),
    ("/predict?" + marked("query") + "=1", raw(SMALL), 400),
    ("/predict", {"files": {marked("field"): (NAME, BIG)}}, 400),
    ("/predict", raw(BIG, "multipart/form-data; boundary=" + marked("boundary")), 400),
    ("/predict", raw(SMALL, f"text/{MARK}"), 400),
    ("/predict", {"data": b'{"image": "%b' % MARK.encode(), "headers": {"Content-Type": "application/json"}}, 400),
    ("/v2/models/ShiwuNet/infer", {"json": {"inputs": [{"name": marked("tensor")}]}}, 400),
    # Nothing is fetched: the kernel would have seen the connection, or the file being opened.
    ("/predict", {"json": {"image": f"http://127.0.0.1:9/{MARK}"}}, 400),
    ("/predict", {"data": {"image": f"file:///etc/{MARK}"}}, 400),
    ("/" + marked("path"), raw(SMALL), 404),
    ("/models/" + marked("name"), raw(SMALL), 405),
]  # fmt: skip


def ask(service, number):
    path, what, expected = KINDS[number % len(KINDS)]
    options = what | {"headers": HEADERS | what.get("headers", {})}
    reply = service.post(path, **options)
    return None if reply.status_code == expected else (path, reply.status_code, reply.text[:200])


def leave_in_the_middle(service):
    """A photo of which half comes, and nonsense instead of a request."""
    host, port = service.address.removeprefix("http://").split(":")
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nX-A: {MARK}\r\n"
    for said in (
        head.encode() + b"Content-Length: %d\r\n\r\n" % len(BIG) + BIG[: len(BIG) // 2],
        f"{MARK} {MARK}\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\n{MARK}\r\n\r\n".encode(),
    ):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(said)


def written(trace):
    """The files that were opened to write, made, renamed or connected to: calls that worked."""
    calls = [line for line in trace.splitlines() if " = -1 " not in line and '"' in line]
    made = [
        line for line in calls if not re.search(r"\bopen(at2?)?\(", line) or WRITES.search(line)
    ]
    return [(line, re.search(r'"([^"]*)"', line)[1]) for line in made]


@pytest.fixture(scope="module")
def traced(tmp_path_factory, program):
    """The service after a thousand requests: its folder, where the trace of its start ends."""
    folder = tmp_path_factory.mktemp("privacy")
    trace = folder.with_name("privacy.strace")
    (folder / "tmp").mkdir()
    under = [program("strace"), "-D", "-f", "--seccomp-bpf", "-qq", "-s", "4096"]
    under += ["-e", f"trace={CALLS}", "-o", str(trace), "env", f"TMPDIR={folder / 'tmp'}"]
    settings = {"log_level": "debug", "max_bytes": MAX_BYTES, "images_ttl_s": TTL_S}
    with running(folder, under=under, **settings) as service:
        begun = len(trace.read_text())
        with ThreadPoolExecutor(6) as clients:
            wrong = list(clients.map(lambda n: ask(service, n), range(REQUESTS)))
        for _ in range(5):
            leave_in_the_middle(service)
        assert service.get("/readyz").status_code == 200
        assert not Counter(filter(None, wrong))
        yield service, folder, trace.read_text()[begun:]
    trace.unlink()


def content(path):
    """What is in the file; nothing, if the store has deleted it meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_only_images_own_store_and_the_metrics_write_files(traced):
    _, folder, trace = traced
    found = written(trace)
    strangers = [
        line
        for line, path in found
        if not path.startswith(f"{folder}/images/")
        # Counters by route and outcome, one file a process; no word of a request is in them.
        and not re.fullmatch(r"/(dev/shm|.*/tmp)/shiwu-metrics-\w+/\w+\.db", path)
        and "/__pycache__/" not in path
        and path not in ("/dev/null", "/proc/self/oom_score_adj", "/var/run/nscd/socket")
    ]
    assert not strangers
    ours = sum(path.startswith(f"{folder}/images/") for _, path in found)
    assert ours, "the witness was asleep"
    print(
        f"{REQUESTS} requests: {ours} files or names made in /image's store, {len(found) - ours} of metrics"
    )


def test_no_mark_and_no_piece_of_a_photo_is_in_any_file_or_in_the_log(traced):
    service, folder, trace = traced
    assert service.log.read_text().count('"request_id"') >= REQUESTS
    files = {path for path in folder.rglob("*") if path.is_file()}
    files |= {Path(path) for _, path in written(trace) if Path(path).is_file()}
    sought = [MARK.encode(), *[one[len(one) // 2 :][:32] for one in (SMALL, BIG, HUGE, *OTHERS)]]
    for path in (one for one in files if not one.is_relative_to("/proc")):
        held = content(path)
        assert not [piece for piece in sought if piece in held], path
    assert MARK not in trace


def test_no_file_that_is_open_has_lost_its_name(traced):
    """A temporary file is often deleted as soon as it is opened; the process still holds it."""
    service, _, _ = traced
    for pid in service.worker_pids():
        held = [
            str(entry.readlink())
            for entry in Path(f"/proc/{pid}/fd").iterdir()
            if entry.is_symlink()
        ]
        nameless = [path for path in held if path.endswith(" (deleted)")]
        # gunicorn's heartbeat, which is empty: its time of change is what counts.
        assert [path for path in nameless if "/wgunicorn-" not in path] == []


def test_a_crash_would_leave_no_image_of_the_memory(traced):
    service, _, _ = traced
    for pid in (service.process.pid, *service.worker_pids()):
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 ", limits)


def test_the_store_empties_by_itself(traced):
    """Nobody asks any more, and still every picture goes when its time is over."""
    service, folder, _ = traced
    kept = service.post("/image", data=SMALL, headers={"Content-Type": "image/jpeg"})
    begun = time.monotonic()
    files = list((folder / "images").iterdir())
    assert files
    for path in files:
        assert MARK.encode() not in content(path)
    while list((folder / "images").iterdir()):
        assert time.monotonic() - begun < TTL_S + 5
        time.sleep(0.05)
    assert service.get(kept.headers["Content-Location"]).status_code == 404


def test_the_log_says_what_happened_and_nothing_of_what_was_sent(traced):
    service, _, _ = traced
    allowed = {"time", "level", "logger", "message", "request_id", "method", "route", "status"}
    allowed |= {"outcome", "bytes", "total_ms", "photos", "wait_ms", "decode_ms", "infer_ms"}
    first, *rest = service.log.read_text().splitlines()
    assert first.startswith("When it is ready: curl ")
    lines = [json.loads(line) for line in rest]  # decoders, too, write nothing of their own
    told = [line for line in lines if line["logger"] == "shiwu.request"]
    assert len(told) > REQUESTS
    assert set().union(*told) <= allowed
    assert {line["method"] for line in told if "method" in line} <= {"GET", "POST"}
