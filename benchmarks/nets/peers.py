"""lrcn_fast's nets, and the same nets as a user writes them in torch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrcn_fast.models import ActivityRecognizer
from lrcn_fast.nn.conv_net import LRN_ALPHA, ConvNet

from .cases import CLASSES, Case

OURS = "lrcn_fast"
PADDED = "lrcn_fast, padding too"
TORCH = "torch"
CHANNELS_LAST = "channels_last"
EAGER = (TORCH, CHANNELS_LAST)
COMPILED = {"compile": TORCH, "compile, channels_last": CHANNELS_LAST}
"""By name, what is compiled."""
PRODUCTS = "products alone"
"""torch's convolutions and fc6 with nothing between them: a net for which the rest is free."""
NAMES = (OURS, PADDED, *EAGER, *COMPILED)


class TorchNet(nn.Module):
    """A net up to fc6, with the very parameters of ``net``, on all frames: padded ones too."""

    def __init__(self, net: ConvNet) -> None:
        super().__init__()
        modules = net.named_layers()
        self.layers = net.layers
        self.convs = nn.ModuleList(modules[layer.name] for layer in net.layers)
        self.fc6 = nn.Linear(1, 1, device="meta")
        self.fc6.weight, self.fc6.bias = modules["fc6"].weight, modules["fc6"].bias

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (T, B, C, Y, X) to features (T, B, F)."""
        x = frames.flatten(0, 1)
        if self.convs[0].weight.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous(memory_format=torch.channels_last)
        for layer, conv in zip(self.layers, self.convs):
            x = F.relu(conv(x))
            if layer.pool:
                x = F.max_pool2d(x, layer.pool, 2, ceil_mode=True)
            if layer.norm:
                x = F.local_response_norm(x, 5, LRN_ALPHA, 0.75, 1.0)
        return F.relu(self.fc6(x.flatten(1))).unflatten(0, frames.shape[:2])


class Products(TorchNet):
    """The convolutions and fc6 of a net, each on its own input of an earlier call."""

    def __init__(self, net: ConvNet, frames: Tensor) -> None:
        super().__init__(copy.deepcopy(net).to(memory_format=torch.channels_last))
        self.inputs: list[Tensor] = []
        modules = (*self.convs, self.fc6)
        hooks = [each.register_forward_pre_hook(self._keep) for each in modules]
        with torch.inference_mode():
            super().forward(frames)
        for hook in hooks:
            hook.remove()

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.inputs.append(inputs[0])

    def forward(self, frames: Tensor) -> Tensor:
        """The last product; ``frames`` are not read."""
        for conv, x in zip(self.convs, self.inputs):
            conv(x)
        return self.fc6(self.inputs[-1])


class TorchActivity(nn.Module):
    """The activity model with torch.nn.LSTM, without dropout."""

    def __init__(self, model: ActivityRecognizer, net: ConvNet) -> None:
        super().__init__()
        self.net = TorchNet(net)
        weight = model.lstm.weight_ih_l0
        self.lstm = nn.LSTM(weight.shape[1], weight.shape[0] // 4)
        self.lstm.load_state_dict(model.lstm.state_dict())
        self.lstm.to(weight.device, weight.dtype)
        self.fc8 = model.fc8

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (T, B, C, Y, X) to scores (T, B, classes)."""
        scores: Tensor = self.fc8(self.lstm(self.net(frames))[0])
        return scores


@dataclass
class Job:
    """One implementation with one case: ``run`` is what is timed, ``results`` what is checked.

    Attributes:
        case: the row.
        module: frames (T, B, C, Y, X) to features or scores (T, B, ..).
        frames: the pixels, the mean subtracted.
        labels: (T*B,), in training.
        lengths: what the module takes beside the frames, if anything.
    """

    case: Case
    module: Callable[..., Tensor]
    parameters: list[nn.Parameter]
    frames: Tensor
    labels: Tensor
    lengths: Tensor | None = None

    def run(self) -> list[Tensor]:
        """Features, or the loss and the gradients of all parameters."""
        options = {} if self.lengths is None else {"lengths": self.lengths}
        if self.case.mode == "inference":
            with torch.inference_mode():
                return [self.module(self.frames, **options)]
        scores = self.module(self.frames, **options)
        loss = F.cross_entropy(scores.flatten(0, 1), self.labels)
        return [loss, *torch.autograd.grad(loss, self.parameters)]

    def results(self) -> dict[str, Tensor]:
        """What ``run`` returns by name, of the frames that count."""
        values = [value.detach() for value in self.run()]
        if self.case.mode == "inference":
            features = values[0]
            if self.case.lengths:
                lengths = torch.tensor(self.case.lengths, device=features.device)
                features = features[torch.arange(len(features)).unsqueeze(1) < lengths.cpu()]
            return {"features": features.flatten(0, -2)}
        return {"loss": values[0], **{f"gradient {n}": v for n, v in enumerate(values[1:])}}


class Bench:
    """All implementations of a case, with the same weights and frames.

    Args:
        case: the row; its ``checked`` form goes with the same weights.
        dtype: of weights and frames.
        device: where everything lies.
        seed: of the weights; the frames follow from it too.
    """

    def __init__(
        self, case: Case, dtype: torch.dtype, device: torch.device | str = "cpu", seed: int = 0
    ) -> None:
        self.case, self.dtype, self.device = case, dtype, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = ActivityRecognizer(case.config).eval()
        self.model = model.to(device, dtype)
        assert isinstance(model.features.net, ConvNet)
        self.net = model.features.net

    def _module(self, name: str, dtype: torch.dtype) -> nn.Module:
        if name == PRODUCTS:
            return Products(self.net, self._frames(self.case))
        if name in COMPILED:
            # Compiled code of earlier rows counts against a limit, beyond which torch runs eagerly.
            torch.compiler.reset()
            module = self._module(COMPILED[name], dtype)
            module.compile()
            return module
        training = self.case.mode == "training"
        if name in (OURS, PADDED):
            module = self.model if training else self.model.features
        else:
            module = TorchActivity(self.model, self.net) if training else TorchNet(self.net)
        if name == CHANNELS_LAST:
            module = copy.deepcopy(module).to(memory_format=torch.channels_last)
        return module if dtype == self.dtype else copy.deepcopy(module).to(dtype)

    def names(self, compiled: bool = False) -> list[str]:
        """The implementations that a row compares."""
        padded = [PADDED] if self.case.lengths else []
        return [OURS, *padded, *EAGER, *(COMPILED if compiled else [])]

    def _frames(self, case: Case) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        size = (case.steps, case.batch, 3, *self.net.image_size)
        return (50 * torch.randn(size, generator=generator)).to(self.device, self.dtype)

    def job(self, name: str, case: Case | None = None, dtype: torch.dtype | None = None) -> Job:
        """The implementation called ``name``, in another form of the case or dtype if wanted."""
        case, dtype = case or self.case, dtype or self.dtype
        module = self._module(name, dtype)
        generator = torch.Generator().manual_seed(2)
        labels = torch.randint(CLASSES, (case.steps * case.batch,), generator=generator)
        lengths = torch.tensor(case.lengths) if case.lengths and name == OURS else None
        has_state = isinstance(module, ActivityRecognizer)
        return Job(
            case,
            (lambda x: module(x)[0]) if has_state else module,
            [*module.parameters()],
            self._frames(case).to(dtype),
            labels.to(self.device),
            lengths,
        )
