"""ResNeXt, which Keras no longer builds, against its published files and a plain loop."""

import h5py
import numpy as np
import pytest

from models import zoo
from models.build import NotItsWeights, build

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]

NORMALIZATION = ("gamma", "beta", "moving_mean", "moving_variance")
# The first block of the first stage, as in resnext50_weights_tf_dim_ordering_tf_kernels.h5: layers
# that hold numbers, in their order, and the shapes of their kernels.
FIRST_BLOCK = [
    ("conv2_block1_1_conv", (1, 1, 64, 128)),
    ("conv2_block1_1_bn", (128,)),
    ("conv2_block1_2_conv", (3, 3, 128, 4)),
    ("conv2_block1_2_bn", (128,)),
    ("conv2_block1_0_conv", (1, 1, 64, 256)),
    ("conv2_block1_3_conv", (1, 1, 128, 256)),
    ("conv2_block1_0_bn", (256,)),
    ("conv2_block1_3_bn", (256,)),
]


def layout(blocks: list[int]) -> list[tuple[str, list[tuple[str, tuple[int, ...]]]]]:
    """Layers of the published file, in order; of each its numbers' names and shapes."""
    shapes = {"conv1_conv": (7, 7, 3, 64), "conv1_bn": (64,)}
    into = 64
    for stage, count in enumerate(blocks):
        width = 128 * 2**stage
        for number in range(1, count + 1):
            name = f"conv{stage + 2}_block{number}"
            shapes |= {f"{name}_1_conv": (1, 1, into, width), f"{name}_1_bn": (width,)}
            shapes |= {f"{name}_2_conv": (3, 3, width, width // 32), f"{name}_2_bn": (width,)}
            if number == 1:
                shapes |= {f"{name}_0_conv": (1, 1, into, 2 * width)}
            shapes |= {f"{name}_3_conv": (1, 1, width, 2 * width)}
            if number == 1:
                shapes |= {f"{name}_0_bn": (2 * width,)}
            shapes |= {f"{name}_3_bn": (2 * width,)}
            into = 2 * width
    shapes["probs"] = (2048, 1000)
    return [(layer, numbers(layer, shape)) for layer, shape in shapes.items()]


def numbers(layer: str, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    if layer.endswith("_bn"):
        return [(f"{layer}/{name}:0", shape) for name in NORMALIZATION]
    if layer == "probs":
        return [("probs/kernel:0", shape), ("probs/bias:0", shape[1:])]
    kind = "depthwise_kernel" if layer.endswith("_2_conv") else "kernel"
    return [(f"{layer}/{kind}:0", shape)]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file in the layout of the published one for ResNeXt50, of random numbers."""
    path = tmp_path_factory.mktemp("published") / "resnext50.h5"
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        layers = layout([3, 4, 6, 3])
        file.attrs["layer_names"] = [layer.encode() for layer, _ in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        for layer, held in layers:
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name, _ in held]
            for name, shape in held:
                group[name] = random.uniform(0.5, 1.0, shape).astype(np.float32)
    return path


def test_the_layout_is_the_one_of_the_first_block():
    """The rule that the other tests go by, beside what it has to give, written out."""
    held = {layer: shapes[0][1] for layer, shapes in layout([3, 4, 6, 3])}

    assert list(held.items())[2:10] == FIRST_BLOCK


def test_a_file_as_published_loads_number_by_number(keras, published):
    """Each array of the file is in the layer of its name afterwards, under its name."""
    graph = build(zoo.card("ResNeXt50"), published)

    with h5py.File(published) as file:
        for layer, held in layout([3, 4, 6, 3]):
            ours = {f"{layer}/{one.name}:0": one for one in graph.get_layer(layer).weights}
            assert list(ours) == [name for name, _ in held]
            for name, _ in held:
                np.testing.assert_array_equal(np.asarray(ours[name]), file[layer][name])


@pytest.mark.parametrize("name", ["ResNeXt50", "ResNeXt101"])
def test_layers_have_the_names_order_and_shapes_of_the_published_files(keras, name):
    """The loader goes by the order: two kernels of one shape could change places unseen."""
    with keras.StatelessScope(initialize_variables=False):
        graph = build(zoo.card(name), None)

    found = [
        (layer.name, [(f"{layer.name}/{one.name}:0", one.shape) for one in layer.weights])
        for layer in graph.layers
        if layer.weights
    ]

    assert found == layout(zoo.card(name).options["blocks"])


def test_the_other_depths_file_is_refused(keras, published):
    """A mirror may have mixed them up."""
    with pytest.raises(NotItsWeights, match="as the weights of ResNeXt101: Layer count mismatch"):
        build(zoo.card("ResNeXt101"), published)


@pytest.mark.parametrize(("groups", "channels", "stride"), [(2, 6, 1), (4, 8, 2), (1, 3, 1)])
def test_grouped_convolution_is_what_a_plain_loop_computes(keras, groups, channels, stride):
    """After the paper's definition, one number at a time."""
    from models.resnext import GroupedConvolution

    random = np.random.default_rng(1)
    pictures = random.normal(size=(2, 7, 9, channels)).astype(np.float32)
    layer = GroupedConvolution(groups, stride)
    layer.build(pictures.shape)
    kernel = random.normal(size=layer.depthwise_kernel.shape).astype(np.float32)
    layer.depthwise_kernel.assign(kernel)

    found = np.asarray(layer(pictures))

    np.testing.assert_allclose(found, loop(pictures, kernel, groups, stride), atol=1e-5)


def loop(pictures, kernel, groups, stride):
    """Output m of a group sums that group's inputs i, each by `kernel[:, :, g * c + i, m]`."""
    count, height, width, channels = pictures.shape
    c = channels // groups
    rows, columns = (height - 3) // stride + 1, (width - 3) // stride + 1
    out = np.zeros((count, rows, columns, channels))
    for y, x, group, m, i in np.ndindex(rows, columns, groups, c, c):
        seen = pictures[:, stride * y : stride * y + 3, stride * x : stride * x + 3, group * c + i]
        out[:, y, x, group * c + m] += (seen * kernel[:, :, group * c + i, m]).sum((1, 2))
    return out


def test_it_computes_what_keras_former_builder_computed(keras):
    """That one convolved every channel for itself, 4 times, and added up within the groups."""
    from models.resnext import GroupedConvolution

    random = np.random.default_rng(2)
    pictures = random.normal(size=(1, 8, 8, 64)).astype(np.float32)
    former = keras.layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)
    each = np.asarray(former(pictures)).reshape(1, 6, 6, 32, 2, 2)
    layer = GroupedConvolution(32, 1)
    layer.build(pictures.shape)
    layer.depthwise_kernel.assign(former.kernel)

    found = np.asarray(layer(pictures))

    np.testing.assert_allclose(found, each.sum(4).reshape(1, 6, 6, 64), atol=1e-5)
