"""The rival in accuracy that starts from nothing: a residual CNN of 1.2 M parameters on 128 x 128 pictures.

    python bench/rival_cnn.py --root DIR --train odir5k --test odir5k:test

Picture only. bench/eyes.py has what is trained and measured.
"""

import torch.nn.functional as F
from eyes import arguments, run
from torch import nn

WIDTHS = (32, 64, 128, 248)


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut: [B,Cin,H,W] -> [B,Cout,H/s,W/s]."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(cout)
        self.shortcut = nn.Sequential()
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(
                nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout)
            )

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class RivalCnn(nn.Module):
    """Pictures 0..1 [B,3,128,128] -> logits [B,K]."""

    def __init__(self, classes):
        super().__init__()
        blocks, cin = [], WIDTHS[0]
        for i, width in enumerate(WIDTHS):
            blocks.append(Residual(cin, width, 1 if i == 0 else 2))
            cin = width
        self.stem = nn.Conv2d(3, WIDTHS[0], 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(WIDTHS[0])
        self.blocks = nn.Sequential(*blocks)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(cin, classes)

    def forward(self, x):
        x = self.blocks(F.relu(self.norm(self.stem(2 * x - 1))))
        return self.head(self.drop(x.mean(dim=(2, 3))))


def main():
    """Trains and reports."""
    parser = arguments(__doc__.split("\n", maxsplit=1)[0], side=128, epochs=50, lr=2e-3, weight_decay=0.05)
    run("residual CNN", lambda classes, _: RivalCnn(classes), parser.parse_args())


if __name__ == "__main__":
    main()
