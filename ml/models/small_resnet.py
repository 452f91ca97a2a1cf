"""A residual network small enough to learn from random weights on two CPU cores in a minute
(He et al. 2016, basic blocks). It offers the part of timm's interface that `ml` uses, without the
seconds that importing timm takes in every process."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class SmallResNet(nn.Module):
    """Stem at half the input's resolution, then stages that halve it again.

    Args:
        num_classes: outputs.
        channels: width of each stage; the last is the embedding's length.
        blocks: basic blocks of each stage.

    Attributes:
        feature_info: of each stage its last module, and how many pixels one of its places is wide.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        channels: Sequence[int] = (32, 64, 128, 256),
        blocks: Sequence[int] = (1, 1, 1, 1),
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels[0], 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(channels[0])
        widths = [channels[0], *channels]
        self.stages = nn.Sequential(
            *(
                _Block(widths[stage] if first else width, width, stride=2 if first else 1)
                for stage, (width, count) in enumerate(zip(channels, blocks, strict=True))
                for first in [True] + [False] * (count - 1)
            )
        )
        self.fc = nn.Linear(channels[-1], num_classes)
        ends = [sum(blocks[: stage + 1]) - 1 for stage in range(len(blocks))]
        self.feature_info = [
            {"module": f"stages.{end}", "num_chs": width, "reduction": 4 * 2**stage}
            for stage, (end, width) in enumerate(zip(ends, channels, strict=True))
        ]

    def forward_features(self, images: Tensor) -> Tensor:
        """[n, 3, s, s] → [n, channels[-1], s/32, s/32] for four stages."""
        return self.stages(F.relu(self.stem_norm(self.stem(images))))

    def forward_head(self, maps: Tensor, *, pre_logits: bool = False) -> Tensor:
        """[n, c, h, w] → pooled [n, c] with `pre_logits`, or logits [n, num_classes]."""
        pooled = maps.mean(dim=(2, 3))
        return pooled if pre_logits else self.fc(pooled)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Linear:
        return self.fc


class _Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut; the last norm starts at zero, so that the block
    starts as its shortcut (Goyal et al. 2017, section 5.1)."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.norm2.weight)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            # Pool, then project: a strided 1x1 convolution would skip three pixels in four.
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, maps: Tensor) -> Tensor:
        inner = F.relu(self.norm1(self.conv1(maps)))
        return F.relu(self.norm2(self.conv2(inner)) + self.shortcut(maps))
