"""The head of a network, found in its graph and run backwards.

The head is what lies between the last feature map and the logits: mostly the mean over the map's
places and one dense layer. Backwards it tells how much each feature at each place adds to one
class: closed form where the head is linear, and a first approximation where it is not. It is
small beside the network, so a few lines of numpy do it: no TensorFlow, no weights file.

A layer normalisation in the head (ConvNeXt) is linear but for its division by the features'
deviation. That is one number a picture, and is taken as one: then, too, what the places add sums
up to the logit (the reasoning is that of Ali et al. 2022, arXiv 2202.07304, section 3).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.engine import CannotExplain, CannotExtract
from engines.grid import Layout, constant, layouts

Array = NDArray[np.float32]

# The kinds of node that the classifying layer is, and that may stand behind it.
_DENSE = ("MatMul", "Convolution")
_AFTER_DENSE = ("Softmax", "Add", "Reshape", "Squeeze", "Transpose")
# Nodes that only move numbers or pick among them: the feature map is what comes before them.
_PASSED = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "MaxPool", "AvgPool")


class Head:
    """The head of one network.

    Attributes:
        features: the node of the last feature map.
        layout: where its places lie.
        is_linear: whether the logits are a linear function of the features.
        needed: outputs in the graph whose values `backwards` must be told.
    """

    def __init__(self, network: Any) -> None:
        """Find it.

        Args:
            network: an `openvino.Model` from pixels to probabilities. Only its constants are used
                later, and they stay where they are, mapped from the file.

        Raises:
            CannotExplain: it doesn't end in a softmax over what one feature map gives, or has a
                node in its head that can't be run backwards.
        """
        places = layouts(network)
        self._logits = _before_softmax(network)
        self.features = _last_feature_map(self._logits, places)
        self.layout = places[_name(self.features)]
        self._nodes = _depending(network, self.features, self._logits)
        self._live = {_name(self.features), *map(_name, self._nodes)}
        if unknown := sorted({node.get_type_name() for node in self._nodes} - set(_RULES)):
            raise CannotExplain(
                f"there is {', '.join(unknown)} between its last feature map and its answer, "
                "which can't be followed backwards here; SHIWU_ENGINE=keras can"
            )
        self.is_linear = not any(map(self._bends, self._nodes))
        self.needed = [value for node in self._nodes for value in self._needed_by(node)]
        self._constants = {
            _name(source): np.asarray(numbers, np.float32)
            for node in self._nodes
            for source in _sources(node)
            if (numbers := constant(source)) is not None
        }

    def backwards(self, index: int, values: Mapping[str, Array]) -> Array:
        """The derivative of one class's logit by every feature.

        Args:
            index: of the class.
            values: of one picture, by the name of the node that gave it: those of `needed`.

        Returns:
            float32, of the feature map's own shape and order of axes, (1, ...).
        """
        first = np.zeros(_shape(self._logits.output(0)), np.float32)
        first.reshape(-1)[index] = 1
        gradients: dict[str, Array] = {_name(self._logits): first}
        known = self._constants | dict(values)
        for node in reversed(self._nodes):
            gradient = gradients.pop(_name(node))
            for at, source in enumerate(_sources(node)):
                if (name := _name(source)) not in self._live:
                    continue
                share = _RULES[node.get_type_name()](node, at, gradient, known)
                share = _summed_to(share, _shape(node.input_value(at)))
                gradients[name] = gradients[name] + share if name in gradients else share
        return gradients[_name(self.features)]

    def evidence(self, index: int, values: Mapping[str, Array]) -> Array:
        """What each place of the feature map says for one class, float32 (rows, columns).

        Where the head is linear, a place's features times their derivatives are what it adds,
        exactly: the places' mean is the logit but for a constant. Where it isn't, each feature
        gets one weight, its derivatives' sum over the places, as in Grad-CAM.

        Args:
            index: of the class.
            values: as for `backwards`, and the feature map itself.
        """
        gradients = self.backwards(index, values)
        rows, columns = self.layout.axes
        if self.is_linear:
            gradients = gradients * (gradients.shape[rows] * gradients.shape[columns])
        else:
            gradients = gradients.sum((rows, columns), keepdims=True)
        (channels,) = {1, 2, 3} - {rows, columns}
        said: Array = (gradients * values[_name(self.features)]).sum(channels)[0]
        return said.astype(np.float32)

    def _live_inputs(self, node: Any) -> int:
        return sum(_name(source) in self._live for source in _sources(node))

    def _bends(self, node: Any) -> bool:
        """Whether the node's output is no linear function of the features."""
        kind = node.get_type_name()
        if kind == "AvgPool":  # linear, but not followed place by place
            return max(_shape(node.output(0))[2:]) > 1
        return kind in _CURVES or kind == "MaxPool" or _multiplies(node, self._live_inputs(node))

    def _needed_by(self, node: Any) -> list[Any]:
        """The outputs whose values this node's rule asks for."""
        kind, sources = node.get_type_name(), _sources(node)
        if kind in _CURVES:
            return [node.input_value(0)]
        return [
            node.input_value(at)
            for at in _FACTORS.get(kind, ())
            if constant(sources[at]) is None and _name(sources[1 - at]) in self._live
        ]


def penultimate(network: Any) -> Any:
    """The output of a graph's node that its last dense layer reads.

    Raises:
        CannotExtract: it doesn't end in a dense layer and a softmax.
    """
    waiting = [_last(network)]
    while waiting:
        node = waiting.pop()
        kind, sources = node.get_type_name(), _sources(node)
        # One logit that becomes two probabilities is spread over both by another product.
        if kind in _DENSE and _shape(node.input_value(0))[1] > 1:
            return node.input_value(0)
        if kind in _DENSE or kind in _AFTER_DENSE:
            waiting += [source for source in sources if constant(source) is None]
    raise CannotExtract("it doesn't end in a dense layer; say which layer=… is wanted")


def _last(network: Any) -> Any:
    (result,) = network.get_results()
    return _sources(result)[0]


def _before_softmax(network: Any) -> Any:
    last = _last(network)
    if last.get_type_name() != "Softmax":
        raise CannotExplain(f"its answer comes from a {last.get_type_name()} and not a softmax")
    return _sources(last)[0]


def _last_feature_map(logits: Any, places: Mapping[str, Layout]) -> Any:
    """The one feature map that everything before the logits comes from."""
    found, seen, waiting = {}, set(), [logits]
    while waiting:
        node = waiting.pop()
        if _name(node) in seen:
            continue
        seen.add(_name(node))
        if _name(node) in places and node.get_type_name() not in _PASSED:
            found[_name(node)] = node
        else:
            waiting += _sources(node)
    if len(found) != 1:
        raise CannotExplain(
            f"its answer comes from {len(found) or 'no'} feature maps; it takes exactly one"
        )
    return next(iter(found.values()))


def _depending(network: Any, features: Any, logits: Any) -> list[Any]:
    """The nodes that the logits depend on the features through, first to last."""
    live, order = {_name(features)}, []
    for node in network.get_ordered_ops():
        if any(_name(source) in live for source in _sources(node)) and not _is_deviation(node):
            live.add(_name(node))
            order.append(node)
    wanted, nodes = {_name(logits)}, []
    for node in reversed(order):
        if _name(node) in wanted:
            nodes.append(node)
            wanted |= {_name(source) for source in _sources(node)}
    return nodes[::-1]


def _is_deviation(node: Any) -> bool:
    """Whether it is a picture's one number that a normalisation divides by."""
    return node.get_type_name() == "Power" and int(np.prod(_shape(node.output(0)))) == 1


def _multiplies(node: Any, live: int) -> bool:
    return node.get_type_name() == "Multiply" and live > 1


def _sources(node: Any) -> list[Any]:
    return [value.get_node() for value in node.input_values()]


def _name(node: Any) -> str:
    name: str = node.get_friendly_name()
    return name


def _shape(value: Any) -> tuple[int, ...]:
    """Of one picture: a dimension that is not fixed is the batch."""
    return tuple(d.get_length() if d.is_static else 1 for d in value.get_partial_shape())


# How a node passes a gradient on to its input number `at`: with the node, `at`, the gradient of
# its output, and the values that are known by name.
_Rule = Callable[[Any, int, Array, Mapping[str, Array]], Array]


# The inputs of a node that a gradient on its way to the other input is multiplied by.
_FACTORS = {"Multiply": (0, 1), "Divide": (1,)}


def _product(node: Any, at: int, gradient: Array, known: Mapping[str, Array]) -> Array:
    return gradient * known[_name(_sources(node)[1 - at])]


def _quotient(node: Any, at: int, gradient: Array, known: Mapping[str, Array]) -> Array:
    if at == 1:
        raise CannotExplain("its head divides by something that depends on the features")
    return gradient / known[_name(_sources(node)[1])]


def _dense(node: Any, _: int, gradient: Array, known: Mapping[str, Array]) -> Array:
    kernel = known[_name(_sources(node)[1])]
    kernel = kernel if node.get_attributes()["transpose_b"] else kernel.T
    asked = np.flatnonzero(gradient[0])  # one class at first: a row, and no product
    return gradient[:, asked] @ kernel[asked] if asked.size == 1 else gradient @ kernel


def _convolution(node: Any, _: int, gradient: Array, known: Mapping[str, Array]) -> Array:
    """Of a map of one place only: a dense layer written as a convolution."""
    kernel = known[_name(_sources(node)[1])]  # (outputs, features, rows, columns)
    if gradient.shape[2:] != (1, 1) or kernel.shape[1:] != _shape(node.input_value(0))[1:]:
        raise CannotExplain("there is a convolution over several places in its head")
    return np.tensordot(gradient[:, :, 0, 0], kernel, 1)


def _mean(node: Any, at: int, gradient: Array, _: Mapping[str, Array]) -> Array:
    shape = _shape(node.input_value(at))
    kept = list(shape)
    for axis in node.input_value(1).get_node().data.reshape(-1).tolist():
        kept[axis] = 1
    return np.broadcast_to(gradient.reshape(kept) / (np.prod(shape) / np.prod(kept)), shape)


def _reshaped(node: Any, at: int, gradient: Array, _: Mapping[str, Array]) -> Array:
    return gradient.reshape(_shape(node.input_value(at)))


def _transposed(node: Any, _: int, gradient: Array, __: Mapping[str, Array]) -> Array:
    return gradient.transpose(np.argsort(node.input_value(1).get_node().data))


def _pooled(node: Any, at: int, gradient: Array, _: Mapping[str, Array]) -> Array:
    """Evenly: a pool hands each gradient on whole, and Grad-CAM only asks for their sum."""
    shape = _shape(node.input_value(at))
    places = shape[2] * shape[3]
    return np.broadcast_to(gradient.sum((2, 3), keepdims=True) / places, shape)


def _curve(node: Any, _: int, gradient: Array, known: Mapping[str, Array]) -> Array:
    slope = _CURVES[node.get_type_name()](node, known[_name(_sources(node)[0])])
    return np.asarray(gradient * slope, np.float32)


def _clamp_slope(node: Any, x: Array) -> Any:
    said = node.get_attributes()
    return (x > said["min"]) & (x < said["max"])


# The derivatives of the curves that stand between dense layers.
_CURVES: dict[str, Callable[[Any, Array], Any]] = {
    "Relu": lambda _, x: x > 0,
    "Clamp": _clamp_slope,
    "HSwish": lambda _, x: np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5)),
    "Sigmoid": lambda _, x: 0.25 / np.cosh(x.clip(-40, 40) / 2) ** 2,
    "Tanh": lambda _, x: 1 / np.cosh(x.clip(-40, 40)) ** 2,
    "Elu": lambda _, x: np.where(x > 0, 1, np.exp(x.clip(None, 0))),
}
_RULES: dict[str, _Rule] = {
    "Add": lambda _, __, gradient, ___: gradient,
    "Subtract": lambda _, at, gradient, __: -gradient if at else gradient,
    "Multiply": _product,
    "Divide": _quotient,
    "MatMul": _dense,
    "Convolution": _convolution,
    "ReduceMean": _mean,
    "Reshape": _reshaped,
    "Squeeze": _reshaped,
    "Unsqueeze": _reshaped,
    "Transpose": _transposed,
    "MaxPool": _pooled,
    "AvgPool": _pooled,
    **dict.fromkeys(_CURVES, _curve),
}


def _summed_to(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: a number that was used many times gets the sum of its gradients."""
    extra = gradient.ndim - len(shape)
    gradient = gradient.sum(axis=tuple(range(extra)))
    repeated = [axis for axis, n in enumerate(shape) if n == 1 and gradient.shape[axis] > 1]
    summed: Array = gradient.sum(axis=tuple(repeated), keepdims=True)
    return summed
