"""Tensors as the Open Inference Protocol, version 2, sends them: in JSON, or as bytes behind it.

The protocol: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol;
the bytes: its binary tensor data extension. `BYTES` is the type of encoded photos and of texts.
"""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.upload import MAX_PARTS, base64_photo
from engines.engine import Pixels
from errors import RequestError

# Bytes of JSON in one request, and values in it: small ones take thirty times their text once they
# are read. Six photos of 224 pixels as numbers are as many.
MAX_JSON, MAX_VALUES = 4 * 2**20, 2**20
_NUMBERS: dict[str, np.dtype[Any]] = {"UINT8": np.dtype("u1"), "FP32": np.dtype("<f4")}
_KINDS = ("BYTES", *_NUMBERS)


class BadTensor(RequestError):
    """A tensor is not what its description says, or none that a network here takes."""


@dataclass(frozen=True)
class Tensor:
    """A tensor that goes out: FP32 as float32, BYTES as a list of texts per row."""

    name: str
    datatype: str
    shape: Sequence[int]
    data: NDArray[np.float32] | Sequence[str]

    def as_list(self) -> list[Any]:
        """Its numbers or texts in order, for JSON."""
        return numbers(self.data) if isinstance(self.data, np.ndarray) else list(self.data)

    def as_bytes(self) -> bytes:
        """Its numbers little-endian; of each text its length in four bytes, and itself."""
        if isinstance(self.data, np.ndarray):
            return self.data.astype("<f4").tobytes()
        encoded = [text.encode() for text in self.data]
        return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def numbers(array: NDArray[np.float32]) -> list[float]:
    """The array's numbers in order, the last axis fastest, for JSON.

    By way of text: the shortest that gives the same float32, where a double's has 17 digits.
    """
    found: list[float] = array.ravel().astype(str).astype(float).tolist()
    return found


def pictures(said: dict[str, Any], tail: bytes, size: int) -> list[bytes | Pixels]:
    """The pictures in a request's one input.

    Args:
        said: the request's JSON.
        tail: the bytes behind it.
        size: side of the square that the network sees.

    Returns:
        encoded photos of a BYTES tensor; of others pixels, uint8 RGB, (size, size, 3) each.

    Raises:
        BadTensor: in words.
    """
    given = _one_input(said)
    kind: Any = given.get("datatype")
    shape: Any = given.get("shape")
    if kind not in _KINDS:
        raise BadTensor(
            f"the input's datatype is {_quoted(kind)}; taken are BYTES (encoded photos), and "
            f"UINT8 or FP32 (pixels from 0 to 255, shape [photos, {size}, {size}, 3])"
        )
    fits = _is_shape(shape) and (
        math.prod(shape[1:]) == 1 if kind == "BYTES" else shape[1:] == [size, size, 3]
    )
    if not fits:
        raise BadTensor(
            f"the input's shape is {_quoted(shape)}; encoded photos in BYTES come as [photos], "
            f"pixels for this network as [photos, {size}, {size}, 3], RGB"
        )
    data = _data(given, tail)
    return _photos(data, shape[0]) if kind == "BYTES" else list(_pixels(data, kind, shape))


def _one_input(said: dict[str, Any]) -> dict[str, Any]:
    inputs = said.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise BadTensor('the request needs "inputs", a list with one tensor')
    given: dict[str, Any] = inputs[0]
    return given


def _is_shape(shape: object) -> bool:
    return (
        isinstance(shape, list)
        and 1 <= len(shape) <= 4
        and all(type(length) is int and 0 < length < 2**31 for length in shape)
    )


def _data(given: dict[str, Any], tail: bytes) -> bytes | list[Any]:
    """What the tensor holds: the bytes behind the JSON, or the list in it, flattened."""
    size = _parameters(given).get("binary_data_size")
    if size is None:
        if not isinstance(given.get("data"), list):
            raise BadTensor('the input has neither "data", a list, nor "binary_data_size"')
        return _flat(given["data"])
    if size != len(tail):
        raise BadTensor(
            f"binary_data_size is {_quoted(size)}, and {len(tail)} bytes came behind the JSON; "
            "the header Inference-Header-Content-Length says where the JSON ends"
        )
    return tail


def _flat(data: list[Any]) -> list[Any]:
    """Tensors in JSON may be nested like their shape, or flat."""
    for _ in range(3):
        if data and all(isinstance(part, list) for part in data):
            data = [item for part in data for item in part]
    return data


def _photos(data: bytes | list[Any], count: int) -> list[bytes | Pixels]:
    if count > MAX_PARTS:
        raise BadTensor(
            f"the input's shape says {count} photos; one request brings at most {MAX_PARTS}"
        )
    # Either way before millions of empty ones are taken out.
    if isinstance(data, list):
        if len(data) != count:
            raise BadTensor(f"the input's shape says {count} photos, and {len(data)} came")
        return [base64_photo(text, "a photo in the input's data") for text in data]
    found: list[bytes | Pixels] = []
    at = 0
    while at + 4 <= len(data):
        if len(found) == count:
            raise BadTensor(f"the input's shape says {count} photos, and more came")
        (length,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    if at != len(data):
        raise BadTensor("the bytes of the input end in the middle of a photo")
    if len(found) != count:
        raise BadTensor(f"the input's shape says {count} photos, and {len(found)} came")
    return found


def _pixels(data: bytes | list[Any], kind: str, shape: list[int]) -> Pixels:
    count = math.prod(shape)
    if isinstance(data, list):
        # Before NumPy sees them: of texts it would make a table as wide as the longest one.
        if len(data) != count or not all(type(number) in (int, float) for number in data):
            raise BadTensor(f"the input's shape says {count} numbers, and its data are not those")
        try:
            array = np.array(data, np.float32)
        except OverflowError as error:
            raise BadTensor("pixels are numbers from 0 to 255") from error
    else:
        kept = _NUMBERS[kind]
        if len(data) != count * kept.itemsize:
            raise BadTensor(
                f"the input's shape says {count} numbers of {kept.itemsize} bytes, and {len(data)} "
                "bytes came"
            )
        array = np.frombuffer(data, kept)
    most = float(array.max())
    if not (array.min() >= 0 and most <= 255):  # false for what is no number, too
        raise BadTensor("pixels are numbers from 0 to 255; send them as the photo has them")
    if kind == "FP32" and 0 < most <= 1:
        raise BadTensor(
            f"pixels are numbers from 0 to 255, and the largest of these is {most:.3g}; if they go "
            "from 0 to 1, multiply them by 255"
        )
    pixels: Pixels = np.rint(array).astype(np.uint8).reshape(shape)
    return pixels


def wanted(said: dict[str, Any], known: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The outputs that a request asks for, all if it doesn't say: names and their parameters.

    Raises:
        BadTensor: one is unknown, or isn't described as it should be.
    """
    every = bool(_parameters(said).get("binary_data_output", False))
    outputs = said.get("outputs")
    if not outputs:
        return {name: {"binary_data": every} for name in known}
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        raise BadTensor('"outputs" is a list of objects, each with a "name"')
    strange = [one.get("name") for one in outputs if one.get("name") not in known]
    if strange:
        raise BadTensor(f"there is no output {_quoted(strange[0])}; there are {', '.join(known)}")
    return {one["name"]: {"binary_data": every, **_parameters(one)} for one in outputs}


def split(body: bytes, header_length: str | None) -> tuple[dict[str, Any], bytes]:
    """A request's JSON and the bytes behind it.

    Args:
        body: the whole body.
        header_length: the header Inference-Header-Content-Length; None: all of it is JSON.

    Raises:
        BadTensor: it is no JSON object, or not as long as the header says.
    """
    length = len(body)
    if header_length is not None:
        is_number = header_length.isascii() and header_length.isdigit() and len(header_length) < 12
        length = int(header_length) if is_number else -1
        if not 0 <= length <= len(body):
            raise BadTensor(
                f"Inference-Header-Content-Length is {_quoted(header_length)}, and the body has "
                f"{len(body)} bytes"
            )
    if length > MAX_JSON:
        raise BadTensor(
            f"the JSON has {length:,} bytes, and at most {MAX_JSON:,} are read; send the tensor as "
            "bytes behind it (binary_data_size)"
        )
    if body.count(b",", 0, length) + body.count(b"[", 0, length) > MAX_VALUES:
        raise BadTensor(
            f"the JSON has more than {MAX_VALUES:,} values; send the tensor as bytes behind it"
        )
    try:
        said = json.loads(body[:length])
    except (ValueError, RecursionError) as error:
        raise BadTensor("the request is not JSON") from error
    if not isinstance(said, dict):
        raise BadTensor("the request's JSON is no object")
    return said, body[length:]


def joined(reply: dict[str, Any], tensors: Sequence[tuple[Tensor, bool]]) -> tuple[bytes, int]:
    """A reply's body, and how many bytes of it are JSON.

    Args:
        reply: its JSON but for the outputs.
        tensors: the outputs, and whether each goes as bytes.
    """
    outputs, tails = [], []
    for tensor, binary in tensors:
        output: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.shape),
        }
        if binary:
            tails.append(tensor.as_bytes())
            output["parameters"] = {"binary_data_size": len(tails[-1])}
        else:
            output["data"] = tensor.as_list()
        outputs.append(output)
    head = json.dumps(reply | {"outputs": outputs}).encode()
    return head + b"".join(tails), len(head)


def _quoted(said: object) -> str:
    """What came, as a sentence may hold it: short, and of letters that can be sent."""
    text = ascii(said)
    return text if len(text) <= 60 else text[:60] + "…"


def _parameters(said: dict[str, Any]) -> dict[str, Any]:
    parameters = said.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise BadTensor('"parameters" is an object')
    return parameters
