"""The rival in accuracy: a residual CNN of 1.2 M parameters on 128 x 128 pictures, trained from scratch.

    python bench/rival_cnn.py --data DIR --labels normal,dr,glaucoma,amd,cataract,myopia --threads 2

DIR is an imagefolder with metadata.csv (file_name, label, patient_id, split). Trains on split `train`, keeps the
epoch with the best macro AUC on `val`, reports `test` with 95 % intervals from a bootstrap over
patients, as one JSON object on stdout. Progress goes to stderr.
"""

import argparse
import copy
import csv
import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import nn

SIDE = 128
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
    """pictures [B,3,128,128] -> logits [B,K]."""

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
        x = self.blocks(F.relu(self.norm(self.stem(x))))
        return self.head(self.drop(x.mean(dim=(2, 3))))


def read_metadata(folder, labels):
    """Rows of metadata.csv whose label counts; labels None: all that the train split has, sorted."""
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if labels is None:
        labels = sorted({r["label"] for r in rows if r["split"] == "train"})
    return [r for r in rows if r["label"] in labels], labels


def load_picture(path):
    """The field of view's bounding box, resized -> uint8 [3,128,128]."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    bright = pixels.max(axis=2) > 15
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    if len(rows) > 16 and len(columns) > 16:
        pixels = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    small = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)


def load_split(folder, rows, labels, split):
    """-> pictures uint8 [N,3,128,128], targets [N], patient ids (list of N)."""
    rows = [r for r in rows if r["split"] == split]
    if not rows:
        sys.exit(f"{folder}/metadata.csv has no rows of split {split} with these labels")
    pictures = torch.stack([load_picture(folder / r["file_name"]) for r in rows])
    targets = torch.tensor([labels.index(r["label"]) for r in rows])
    return pictures, targets, [r["patient_id"] for r in rows]


def as_input(pictures):
    """uint8 -> float [-1,1], channels last."""
    return (pictures.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def augment(pictures):
    """uint8 [B,3,S,S] -> float input, with flips, rotation, scale and colour."""
    x, b = as_input(pictures), len(pictures)
    angle = (torch.rand(b) * 2 - 1) * 0.35
    scale = 1 + (torch.rand(b) * 2 - 1) * 0.1
    flip = torch.where(torch.rand(b) < 0.5, -1.0, 1.0)
    upside = torch.where(torch.rand(b) < 0.5, -1.0, 1.0)
    cos, sin, zero = angle.cos() * scale, angle.sin() * scale, torch.zeros(b)
    turn = torch.stack(
        [torch.stack([cos * flip, -sin * upside, zero], 1), torch.stack([sin * flip, cos * upside, zero], 1)], 1
    )
    grid = F.affine_grid(turn, list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    gain = 1 + (torch.rand(b, 3, 1, 1) * 2 - 1) * 0.08 + (torch.rand(b, 1, 1, 1) * 2 - 1) * 0.15
    shift = (torch.rand(b, 1, 1, 1) * 2 - 1) * 0.1
    return x * gain + shift


def predict(net, pictures, batch=64):
    """-> probabilities [N,K]."""
    net.eval()
    with torch.no_grad():
        parts = [net(as_input(p)).softmax(-1) for p in pictures.split(batch)]
    return torch.cat(parts).numpy()


def macro_auc(targets, probs):
    """Mean one-against-rest AUC over the classes that have cases on both sides."""
    areas = []
    for k in range(probs.shape[1]):
        truth = targets == k
        if truth.any() and not truth.all():
            areas.append(roc_auc_score(truth, probs[:, k]))
    return float(np.mean(areas))


def metrics(targets, probs):
    """-> macro AUC, balanced accuracy, accuracy."""
    guess = probs.argmax(axis=1)
    recalls = [(guess[targets == k] == k).mean() for k in np.unique(targets)]
    return {
        "macro_auc": macro_auc(targets, probs),
        "balanced_accuracy": float(np.mean(recalls)),
        "accuracy": float((guess == targets).mean()),
    }


def bootstrap(targets, probs, patients, rounds, seed):
    """95 % intervals of all metrics; whole patients are drawn with replacement."""
    rng = np.random.default_rng(seed)
    groups = {}
    for i, patient in enumerate(patients):
        groups.setdefault(patient, []).append(i)
    groups = [np.array(g) for g in groups.values()]
    draws = {}
    for _ in range(rounds):
        pick = np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        for key, value in metrics(targets[pick], probs[pick]).items():
            draws.setdefault(key, []).append(value)
    return {key: [float(x) for x in np.percentile(v, [2.5, 97.5])] for key, v in draws.items()}


def balanced_order(targets, classes):
    """As many draws as there are cases, every class equally likely."""
    weight = 1.0 / torch.bincount(targets, minlength=classes).clamp_min(1).float()
    return torch.multinomial(weight[targets], len(targets), replacement=True)


def train(net, data, args):
    """Trains and returns the epoch that was best on val, and its macro AUC."""
    pictures, targets, _ = data["train"]
    classes = net.head.out_features
    step = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=0.05)
    batches = (len(targets) + args.batch - 1) // args.batch
    plan = torch.optim.lr_scheduler.OneCycleLR(
        step, args.lr, total_steps=batches * args.epochs, pct_start=0.1, anneal_strategy="cos"
    )
    best, best_state, best_epoch = -1.0, None, 0
    for epoch in range(args.epochs):
        net.train()
        for rows in balanced_order(targets, classes).split(args.batch):
            loss = F.cross_entropy(net(augment(pictures[rows])), targets[rows], label_smoothing=0.05)
            step.zero_grad()
            loss.backward()
            step.step()
            plan.step()
        auc = macro_auc(data["val"][1].numpy(), predict(net, data["val"][0]))
        print(f"epoch {epoch + 1}: loss of the last batch {loss.item():.3f}, val macro AUC {auc:.3f}", file=sys.stderr)
        if auc > best:
            best, best_state, best_epoch = auc, copy.deepcopy(net.state_dict()), epoch + 1
    net.load_state_dict(best_state)
    return best_epoch, best


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--labels", help="comma list; default: all labels of the train split")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bootstrap", type=int, default=1000)
    return parser.parse_args()


def main():
    """Loads, trains, tests, prints JSON."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    start = time.monotonic()
    rows, labels = read_metadata(args.data, args.labels.split(",") if args.labels else None)
    data = {split: load_split(args.data, rows, labels, split) for split in ("train", "val", "test")}
    net = RivalCnn(len(labels)).to(memory_format=torch.channels_last)
    epoch, val_auc = train(net, data, args)
    pictures, targets, patients = data["test"]
    probs = predict(net, pictures)
    result = {
        "model": "residual CNN", "parameters": sum(p.numel() for p in net.parameters()), "labels": labels,
        "n": len(targets), "patients": len(set(patients)), "epochs": args.epochs, "best_epoch": epoch,
        "val_macro_auc": val_auc, **metrics(targets.numpy(), probs),
    }
    for key, interval in bootstrap(targets.numpy(), probs, patients, args.bootstrap, args.seed).items():
        result[key + "_ci"] = interval
    result.update(seed=args.seed, threads=args.threads, minutes=(time.monotonic() - start) / 60)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
