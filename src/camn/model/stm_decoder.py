"""STM's decoder: values read from memory, refined by the query's maps."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from camn.config import StmConfig
from camn.model.layers import group_norm, resize


class Residual(nn.Module):
    """Two 3x3 convolutions, each behind a ReLU, and a shortcut. norms: group norm behind the first."""

    def __init__(self, width: int, norms: bool):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.norm = _norm(width, norms)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.norm(self.conv1(F.relu(x)))))


class Refine(nn.Module):
    """A step up: the map from below, enlarged, plus what the encoder's map of that stride adds.

    aligned: corner pixels on corner pixels; else twofold. norms: group norm behind what comes in."""

    def __init__(self, skip: int, width: int, aligned: bool, norms: bool):
        super().__init__()
        self.aligned = aligned
        self.skip = nn.Conv2d(skip, width, 3, padding=1)
        self.skip_norm = _norm(width, norms)
        self.skip_residual = Residual(width, norms)
        self.residual = Residual(width, norms)

    def added(self, skip: Tensor) -> Tensor:
        """The encoder's part, (B, skip, h, w) -> (B, width, h, w): the same for all objects of a frame."""
        return self.skip_residual(self.skip_norm(self.skip(skip)))

    def forward(self, coarse: Tensor, added: Tensor) -> Tensor:
        larger = resize(coarse, added.shape[-2:]) if self.aligned else enlarged(coarse, 2)
        return self.residual(added + larger)


class Decoder(nn.Module):
    """Values at stride 16 -> what tells each object by itself. channels: of the query's maps."""

    def __init__(self, config: StmConfig, channels: tuple[int, int, int]):
        super().__init__()
        width, self.aligned, norms = config.width, config.aligned, config.norms
        self.squeeze = nn.Conv2d(2 * config.value_channels, width, 3, padding=1)
        self.norm = _norm(width, norms)
        self.residual = Residual(width, norms)
        self.middle = Refine(channels[1], width, self.aligned, norms)
        self.fine = Refine(channels[0], width, self.aligned, norms)
        self.predict = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, values: Tensor, middle: Tensor, fine: Tensor) -> Tensor:
        """values (N, 2 * Cv, h, w) of N objects, what is added at strides 8 and 4 (N or 1, ...) -> aligned: log-odds
        (N, 4 h - 3, 4 w - 3) at stride 4; else probability (N, 16 h, 16 w) in 0..1."""
        x = self.residual(self.norm(self.squeeze(values)))
        x = self.predict(F.relu(self.fine(self.middle(x, middle), fine)))
        return x[:, 1] - x[:, 0] if self.aligned else enlarged(x, 4).softmax(1)[:, 1]


def _norm(width: int, norms: bool) -> nn.Module:
    return group_norm(width) if norms else nn.Identity()


def enlarged(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
