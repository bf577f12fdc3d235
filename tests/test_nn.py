"""Modules: what they find, how they name it, what goes in and out; layers against closed forms and PyTorch."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls import nn


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def network() -> nn.Sequential:
    generator = rng()
    return nn.Sequential(nn.Linear(4, 8, generator=generator), nn.ReLU(), nn.Linear(8, 3, generator=generator))


class Nested(nn.Module):
    def __init__(self):
        self.scale = tg.Tensor([1.0, 2.0], requires_grad=True)
        self.blocks = {"first": [nn.Linear(2, 2), (nn.Linear(2, 2, bias=False),)]}
        self.tied = self.blocks["first"][0]
        self.mean = tg.Tensor([0.0, 0.0])
        self.note = "no tensor"

    def forward(self, x):
        x = x * self.scale - self.mean
        return self.blocks["first"][1][0](self.tied(x))


def test_parameters_are_found_once_in_lists_tuples_and_dicts():
    module = Nested()
    assert [path for path, _ in module.named_parameters()] == [
        "scale",
        "blocks.first.0.weight",
        "blocks.first.0.bias",
        "blocks.first.1.0.weight",
    ]
    assert list(module.named_tensors()) == [*(path for path, _ in module.named_parameters()), "mean"]
    assert [path for path, _ in module.named_modules()] == ["", "blocks.first.0", "blocks.first.1.0"]


def test_a_module_within_itself_is_no_endless_loop():
    module = network()
    module.parent = module
    module.layers.append(module.layers)
    assert len(list(module.parameters())) == 4


def test_a_computed_attribute_is_an_error_that_names_it():
    module = nn.Linear(2, 2)
    module.half = module.weight * 0.5
    with pytest.raises(ValueError, match=r"half of Linear was computed .* by multiply"):
        list(module.parameters())


def test_dict_keys_that_give_equal_paths_are_an_error():
    module = nn.Module()
    module.table = {1: tg.Tensor(1.0), "1": tg.Tensor(2.0)}
    with pytest.raises(ValueError, match=r"two tensors .* path table\.1"):
        module.state_dict()


def test_frozen_tensors_are_saved_and_not_trained():
    module = network()
    module.layers[0].weight.requires_grad = False
    assert "layers.0.weight" in module.state_dict()
    assert len(list(module.parameters())) == 3


def test_state_goes_round():
    source, target = network(), nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    target.load_state_dict(source.state_dict())
    x = rng().standard_normal((5, 4))
    np.testing.assert_array_equal(source(x).numpy(), target(x).numpy())


def test_state_is_a_snapshot():
    module = network()
    before = module.state_dict()
    kept = {path: values.copy() for path, values in before.items()}
    optimiser = tg.optim.SGD(module.parameters(), lr=1.0)
    module(np.ones((2, 4))).sum().backward()
    optimiser.step()
    for path in kept:
        np.testing.assert_array_equal(before[path], kept[path])
    assert not any(np.array_equal(values, kept[path]) for path, values in module.state_dict().items())


def test_a_state_that_does_not_fit_names_everything_and_loads_nothing():
    module = network()
    state = dict(module.state_dict())
    state["layers.0.weight"] = np.zeros((4, 8), np.float32)
    del state["layers.0.bias"]
    state["extra"] = np.zeros(1)
    state["layers.2.bias"] = np.zeros(7, np.float32)
    state["layers.2.weight"] = state["layers.2.weight"].astype(np.float64)
    before = module.layers[0].weight.numpy()
    with pytest.raises(ValueError, match="nothing was loaded") as error:
        module.load_state_dict(state)
    for problem in (
        "missing: layers.0.bias",
        "unexpected: extra",
        "mismatched: layers.2.bias has shape (7,) in the state, (3,) in the module",
        "mismatched: layers.2.weight is float64 in the state and would lose digits as float32",
    ):
        assert problem in str(error.value)
    assert module.layers[0].weight.numpy() is not before
    np.testing.assert_array_equal(module.layers[0].weight.numpy(), before)


def test_loading_makes_old_graphs_stale():
    module = network()
    loss = module(np.ones((1, 4))).sum()
    module.load_state_dict(network().state_dict())
    with pytest.raises(RuntimeError, match="assigned new values"):
        loss.backward()


def test_train_and_eval_reach_everything():
    module = nn.Sequential(nn.Sequential(nn.Dropout(0.5)))
    assert module.eval() is module
    assert not module.layers[0].layers[0].training
    assert module.train().layers[0].layers[0].training


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_whole_and_apart(copied):
    module = Nested()
    x = np.ones((1, 2))
    expected = module(x).numpy()  # labels are written: they must not go along
    twin = copied(module)
    np.testing.assert_array_equal(twin(x).numpy(), expected)
    assert twin.tied is twin.blocks["first"][0]
    twin.scale.assign([0.0, 0.0])
    np.testing.assert_array_equal(module(x).numpy(), expected)


def test_a_call_is_recorded_under_its_path():
    model = network()
    model(np.ones((1, 4)))
    hidden = model.layers[1](model.layers[0](np.ones((1, 4))))
    assert [scope.name for scope in hidden.scope.path()] == ["ReLU", "relu"]
    output = model(np.ones((1, 4)))
    assert [scope.name for scope in output.scope.path()] == ["Sequential", "layers.2: Linear"]
    relu = output.inputs[0].inputs[0]
    assert [scope.name for scope in relu.scope.path()] == ["Sequential", "layers.1: ReLU", "relu"]
    assert model.layers[2].weight.name == "layers.2.weight"


def test_a_layer_added_later_is_labelled_too():
    model = network()
    model(np.ones((1, 4)))
    model.layers.append(nn.Linear(3, 2))
    assert model(np.ones((1, 4))).scope.name == "Linear"
    assert model(np.ones((1, 4))).scope.name == "layers.3: Linear"


def test_a_drawing_shows_repeated_layers_once_and_unfolds_them_by_class():
    model = nn.Sequential(*(nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(5)))
    output = model(np.ones((2, 3), np.float32))
    assert "× 5" in tg.draw(output).source
    folded = tg.draw(output, expand=["Sequential"], repeats=False)
    assert "layers.4.layers.0 ·" in folded.source  # which layer a box is
    assert "= Linear(" in folded.source
    opened = tg.draw(output, expand=["Sequential", "Linear"], repeats=False)
    assert "layers.4.layers.0: Linear" in opened.source  # a frame
    assert "= Linear(" not in opened.source


def test_names_that_people_gave_stay():
    model = network()
    model.layers[0].weight.name = "W₁"
    model(np.ones((1, 4)))
    assert model.layers[0].weight.name == "W₁"


def test_repr_counts_parameters():
    assert repr(network()) == (
        "Sequential(  # 67 parameters\n"
        "  (layers.0): Linear(4, 8)  # 40 parameters\n"
        "  (layers.1): ReLU()\n"
        "  (layers.2): Linear(8, 3)  # 27 parameters\n"
        ")"
    )
    assert repr(nn.Linear(2, 1, bias=False)) == "Linear(2, 1, bias=False)  # 2 parameters"


def test_forward_is_asked_for():
    with pytest.raises(NotImplementedError, match="needs a method forward"):
        nn.Module()(1)


def test_sequential():
    model = network()
    assert len(model) == 3
    assert model[0] is model.layers[0]
    assert model[:2].layers[0] is model.layers[0]
    assert list(model) == model.layers
    with pytest.raises(TypeError, match="layer 1 of Sequential is no Module but function"):
        nn.Sequential(nn.ReLU(), tg.relu)


def test_linear():
    layer = nn.Linear(3, 2, generator=rng(), dtype=np.float64)
    x = rng(1).standard_normal((5, 3))
    np.testing.assert_array_equal(layer(x).numpy(), x @ layer.weight.numpy() + layer.bias.numpy())
    assert nn.Linear(3, 2).weight.dtype == np.float32
    with pytest.raises(ValueError, match="inputs, outputs"):
        nn.Linear(0, 2)
    with pytest.raises(ValueError, match=r"matmul\(Tensor of shape \(5, 4\)"):
        layer(np.ones((5, 4)))


def test_layers_refuse_seeds():
    with pytest.raises(TypeError, match=r"must be a numpy\.random\.Generator"):
        nn.Linear(2, 2, generator=0)


@pytest.mark.parametrize(
    ("draw", "deviation", "bound"),
    [
        (lambda shape: nn.init.kaiming_uniform(shape, rng()), math.sqrt(2 / 300), math.sqrt(6 / 300)),
        (lambda shape: nn.init.kaiming_uniform(shape, rng(), mode="fan_out"), math.sqrt(2 / 500), math.sqrt(6 / 500)),
        (lambda shape: nn.init.kaiming_normal(shape, rng(), gain=1), math.sqrt(1 / 300), math.inf),
        (lambda shape: nn.init.xavier_uniform(shape, rng()), math.sqrt(2 / 800), math.sqrt(6 / 800)),
        (lambda shape: nn.init.xavier_normal(shape, rng(), gain=5 / 3), 5 / 3 * math.sqrt(2 / 800), math.inf),
        (lambda shape: nn.Linear(*shape, generator=rng()).weight.numpy(), math.sqrt(1 / 900), math.sqrt(1 / 300)),
    ],
)
def test_initial_weights_have_the_deviation_of_the_formula(draw, deviation, bound):
    weights = draw((300, 500))
    assert weights.dtype == np.float32
    assert weights.std() == pytest.approx(deviation, rel=0.01)
    assert abs(weights.mean()) < 4 * deviation / math.sqrt(weights.size)
    largest = np.abs(weights).max()
    assert largest <= bound * (1 + 1e-6)
    if bound < math.inf:
        assert largest > 0.999 * bound


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.ReLU(), lambda x: np.maximum(x, 0)),
        (nn.Tanh(), np.tanh),
        (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
        (nn.Softmax(axis=0), lambda x: np.exp(x) / np.exp(x).sum(axis=0)),
    ],
)
def test_activations(layer, function):
    x = rng().standard_normal((4, 3))
    np.testing.assert_allclose(layer(x).numpy(), function(x), rtol=1e-14)


def test_dropout_keeps_the_expected_sum_and_is_new_each_time():
    dropout = nn.Dropout(0.25, generator=rng())
    x = np.ones((200, 500), np.float32)
    first, second = dropout(x).numpy(), dropout(x).numpy()
    assert set(np.unique(first)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
    assert first.mean() == pytest.approx(1, abs=0.01)
    assert (first != second).any()
    again = nn.Dropout(0.25, generator=rng())(x).numpy()
    np.testing.assert_array_equal(first, again)


def test_dropout_gradient_is_its_mask():
    x = tg.Tensor(np.ones((3, 4)), requires_grad=True)
    dropped = nn.Dropout(0.5, generator=rng())(x)
    dropped.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), dropped.numpy())


def test_dropout_at_the_ends():
    x = np.ones(5)
    np.testing.assert_array_equal(nn.Dropout(0.0)(x).numpy(), x)
    np.testing.assert_array_equal(nn.Dropout(1.0)(x).numpy(), np.zeros(5))
    np.testing.assert_array_equal(nn.Dropout(0.5).eval()(x).numpy(), x)
    assert nn.Dropout(0.5)(tg.Tensor(1.0)).shape == ()
    with pytest.raises(ValueError, match="from 0 to 1"):
        nn.Dropout(1.5)
    with pytest.raises(TypeError, match="needs floats"):
        nn.Dropout(0.5)([1, 2])


def test_layer_norm():
    layer = nn.LayerNorm(6, dtype=np.float64)
    x = rng().standard_normal((4, 6)) * 5 + 3
    y = layer(x).numpy()
    np.testing.assert_allclose(y.mean(axis=-1), 0, atol=1e-15)
    np.testing.assert_allclose(y, (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5))
    assert list(nn.LayerNorm(3, affine=False).parameters()) == []
    with pytest.raises(ValueError, match="needs these lengths last"):
        layer(np.ones((6, 4)))


def test_standardize():
    x = rng().standard_normal((50, 3)) * [1, 100, 1e-3] + [5, 0, 1e6]
    x = np.column_stack([x, np.full(50, 0.1)])
    layer = nn.Standardize(x)
    y = layer(x).numpy()
    np.testing.assert_allclose(y[:, :3].std(axis=0), 1)
    np.testing.assert_allclose(y[:, 3], 0, atol=1e-12)
    assert list(layer.parameters()) == []
    assert set(layer.state_dict()) == {"mean", "deviation"}
    with pytest.raises(ValueError, match="finite"):
        nn.Standardize([[np.nan]])


@pytest.mark.peers
@pytest.mark.parametrize("seed", range(3))
def test_a_network_equals_pytorch(seed):
    import torch

    generator = rng(seed)
    ours = nn.Sequential(
        nn.Linear(6, 10, generator=generator, dtype=np.float64),
        nn.LayerNorm(10, dtype=np.float64),
        nn.Tanh(),
        nn.Linear(10, 8, bias=False, generator=generator, dtype=np.float64),
        nn.Sigmoid(),
        nn.Linear(8, 4, generator=generator, dtype=np.float64),
        nn.Softmax(),
    )
    theirs = torch.nn.Sequential(
        torch.nn.Linear(6, 10),
        torch.nn.LayerNorm(10),
        torch.nn.Tanh(),
        torch.nn.Linear(10, 8, bias=False),
        torch.nn.Sigmoid(),
        torch.nn.Linear(8, 4),
        torch.nn.Softmax(-1),
    ).double()
    state = {path.removeprefix("layers."): torch.tensor(values.T) for path, values in ours.state_dict().items()}
    theirs.load_state_dict(state)
    x = generator.standard_normal((5, 6))
    tx = torch.tensor(x, requires_grad=True)
    ox = tg.Tensor(x, requires_grad=True)
    result, expected = ours(ox), theirs(tx)
    np.testing.assert_allclose(result.numpy(), expected.detach().numpy(), rtol=1e-12)
    tg.square(result).sum().backward()
    (expected**2).sum().backward()
    np.testing.assert_allclose(ox.grad.numpy(), tx.grad.numpy(), rtol=1e-10, atol=1e-15)
    for (_, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy().T, rtol=1e-10, atol=1e-15)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"])
def test_initial_weights_are_distributed_as_pytorch_s(name):
    import torch
    from scipy.stats import ks_2samp

    torch.manual_seed(0)
    options = {"nonlinearity": "relu"} if name.startswith("kaiming") else {}
    theirs = getattr(torch.nn.init, f"{name}_")(torch.empty(120, 90), **options).numpy()  # (outputs, inputs)
    ours = getattr(nn.init, name)((90, 120), rng())
    assert ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 0.001


@pytest.mark.peers
def test_linear_starts_as_pytorch_s():
    import torch
    from scipy.stats import ks_2samp

    torch.manual_seed(0)
    theirs, ours = torch.nn.Linear(50, 400), nn.Linear(50, 400, generator=rng())
    for name in ("weight", "bias"):
        a, b = getattr(ours, name).numpy().ravel(), getattr(theirs, name).detach().numpy().ravel()
        assert ks_2samp(a, b).pvalue > 0.001


# --- the version, by which compile hears of changes -------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "heard"),
    [
        (lambda m: m.train(), False),
        (lambda m: m.eval(), True),
        (lambda m: setattr(m, "p", float("0.25")), False),
        (lambda m: setattr(m, "p", 0.75), True),
        (lambda m: setattr(m, "shift", -0.0), True),
        (lambda m: setattr(m, "generator", m.generator), False),
        (lambda m: setattr(m, "generator", np.random.default_rng(1)), True),
        (lambda m: setattr(m, "forward", lambda x: x), True),
        (lambda m: delattr(m, "shift"), True),
    ],
)
def test_a_module_counts_the_changes_of_its_attributes(change, heard):
    layer = tg.nn.Dropout(0.25)
    layer.shift = 0.0
    before = layer._version
    change(layer)
    assert (layer._version > before) == heard


def test_the_version_is_nobody_s_state():
    model = tg.nn.Sequential(tg.nn.Linear(2, 2))
    state, text, pickled = model.state_dict().keys(), repr(model), pickle.dumps(model)
    model.eval().train().note = "said"
    del model.note
    assert (model.state_dict().keys(), repr(model)) == (state, text)
    for copied in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model)), pickle.loads(pickled)):
        before = model._version
        version = copied._version
        copied.note = "other"
        assert copied._version == version + 1
        assert model._version == before


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("samples", [1, 2, 3000, 300_001])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_constant_feature_is_only_shifted_however_many_samples(samples, order, dtype):
    constants = np.array([0.7, -3.3e5, 1e-200 if dtype == np.float64 else 1e-30, 0.0], dtype)
    x = np.array(np.broadcast_to(constants, (samples, 4)), order=order)
    layer = nn.Standardize(x)
    assert layer.deviation.tolist() == [1.0, 1.0, 1.0, 1.0]
    np.testing.assert_allclose(layer(x[:1]).numpy(), 0, atol=2 * np.finfo(dtype).eps * 3.3e5)


def test_a_feature_that_is_constant_but_for_rounding_is_only_shifted():
    third = np.resize([0.1 + 0.2, 0.3], 1000)
    x = np.stack([third, third + np.linspace(0, 1e-9, 1000)], axis=1)  # the second one varies
    layer = nn.Standardize(x)
    assert layer.deviation.tolist()[0] == 1
    assert layer.deviation.tolist()[1] == pytest.approx(np.linspace(0, 1e-9, 1000).std(), rel=1e-6)


def test_a_small_deviation_of_many_large_values_is_found():
    seconds = 1.7e9 + np.random.default_rng(0).uniform(0, 1e-3, 200_000)
    layer = nn.Standardize(seconds[:, None])
    assert layer.deviation.item() == pytest.approx(1e-3 / math.sqrt(12), rel=0.01)


def test_single_precision_keeps_what_differs_by_more_than_rounding():
    longitude = np.resize(np.array([116.39, 116.3901, 116.3902], np.float32), (999, 1))
    assert nn.Standardize(longitude).deviation.item() == pytest.approx(8.2e-5, rel=0.1)
    jitter = np.resize(np.array([14.62, np.nextafter(np.float32(14.62), np.float32(15))], np.float32), (1000, 1))
    assert nn.Standardize(jitter).deviation.item() == 1


def test_standardizing_by_weights_is_by_repetition():
    rng = np.random.default_rng(0)
    x, times = rng.normal(3, 2, size=(20, 3)), rng.integers(0, 4, 20)
    one, other = nn.Standardize(x, times), nn.Standardize(np.repeat(x, times, axis=0))
    np.testing.assert_allclose(one(x).numpy(), other(x).numpy(), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_standardize_is_the_same_for_every_scale_of_the_data(scale):
    x = np.random.default_rng(0).normal(size=(50, 2))
    np.testing.assert_allclose(nn.Standardize(x * scale)(x * scale).numpy(), nn.Standardize(x)(x).numpy(), rtol=1e-12)
