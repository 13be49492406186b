"""What the rivals in accuracy share: data sets, pictures, augmentation, training loop, measures, report.

A data set is a folder in the imagefolder layout: metadata.csv with file_name, label, patient_id, split. Classes are the six
of LABELS; rows with another label, or none, are left out. Split `train` of every training set trains, split `val` of the
first one chooses the epoch. A test set is all of a folder (NAME) or one of its splits (NAME:test).
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

LABELS = ["normal", "dr", "glaucoma", "amd", "cataract", "myopia"]
MARGIN = 8 / 7  # pictures are kept a little larger than the net sees them


def read_rows(folder, split=None):
    """Rows of metadata.csv with one of the six labels; split None: all. In training, a row with another label counts once
    for each of the six in its labels_all."""
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as file:
        every = [r for r in csv.DictReader(file) if split in (None, r["split"])]
    rows = [r for r in every if r["label"] in LABELS]
    if split == "train":
        for row in (r for r in every if r["label"] not in LABELS):
            rows += [{**row, "label": k} for k in LABELS if k in row.get("labels_all", "").split("|")]
    if not rows:
        sys.exit(f"{folder}/metadata.csv has no rows" + (f" of split {split}" if split else "") + " with these labels")
    return rows


def load_picture(path, side):
    """The field of view's bounding box, padded to a square, resized -> uint8 [3,side,side]."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    bright = pixels.max(axis=2) > 15
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    if len(rows) > 16 and len(columns) > 16:
        pixels = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = pixels.shape[:2]
    square = np.zeros((max(height, width),) * 2 + (3,), np.uint8)
    top, left = (square.shape[0] - height) // 2, (square.shape[1] - width) // 2
    square[top : top + height, left : left + width] = pixels
    small = Image.fromarray(square).resize((side, side), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)


class Cases:
    """Pictures uint8 [N,3,S,S], targets [N], a patient's name for each, the set's number for each."""

    def __init__(self, parts, side):
        self.pictures, self.names, targets, self.patients, sets = [], [], [], [], []
        for number, (folder, split) in enumerate(parts):
            for row in read_rows(folder, split):
                self.pictures.append(load_picture(folder / row["file_name"], side))
                self.names.append(row["file_name"])
                targets.append(LABELS.index(row["label"]))
                self.patients.append(f"{folder.name}/{row.get('patient_id') or row['file_name']}")
                sets.append(number)
        self.pictures = torch.stack(self.pictures)
        self.targets, self.sets = torch.tensor(targets), torch.tensor(sets)


def augment(pictures, side):
    """uint8 [B,3,S,S] -> float 0..1 [B,3,side,side]: any rotation, mirrors, scale, tint, gamma, contrast, saturation, blur."""
    x, b = pictures.float() / 255, len(pictures)
    angle = torch.rand(b) * 2 * torch.pi
    scale = torch.exp((torch.rand(b) * 2 - 1) * 0.25)
    flip = torch.where(torch.rand(b) < 0.5, -1.0, 1.0)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    shift = (torch.rand(b, 2) * 2 - 1) * 0.06
    turn = torch.stack([torch.stack([cos * flip, -sin, shift[:, 0]], 1), torch.stack([sin * flip, cos, shift[:, 1]], 1)], 1)
    x = F.grid_sample(x, F.affine_grid(turn, [b, 3, side, side], align_corners=False), align_corners=False)

    def uniform(most, channels=1):
        """Random factors around 1, in half of the pictures 1."""
        use = (torch.rand(b, 1, 1, 1) < 0.8).float()
        return 1 + use * (torch.rand(b, channels, 1, 1) * 2 - 1) * most

    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * uniform(0.5)
    x = x * uniform(0.25, 3) * uniform(0.3)
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (middle + (x - middle) * uniform(0.3)).clamp(1e-4, 1)
    x = x ** torch.exp((torch.rand(b, 1, 1, 1) * 2 - 1) * 0.4)
    soft = F.avg_pool2d(x, 3, 1, 1)
    return torch.where(torch.rand(b, 1, 1, 1) < 0.25, soft, x)


def plain(pictures, side):
    """uint8 [B,3,S,S] -> float 0..1 [B,3,side,side], reduced."""
    return F.interpolate(pictures.float() / 255, size=(side, side), mode="area")


def predict(net, pictures, side, batch=64):
    """Mean of a picture and its mirror image -> probabilities [N,K]."""
    net.eval()
    parts = []
    with torch.no_grad():
        for some in pictures.split(batch):
            x = plain(some, side).contiguous(memory_format=torch.channels_last)
            parts.append((net(x).softmax(-1) + net(x.flip(3)).softmax(-1)) / 2)
    return torch.cat(parts).numpy()


def among(probs, classes):
    """Probabilities of these classes only, again with sum 1."""
    some = probs[:, classes]
    return some / some.sum(axis=1, keepdims=True)


def measures(targets, probs):
    """Over the classes that occur: macro AUC (one against the rest), balanced accuracy, accuracy."""
    classes = np.unique(targets)
    p = among(probs, classes)
    areas = [roc_auc_score(targets == k, p[:, i]) for i, k in enumerate(classes)] if len(classes) > 1 else [np.nan]
    guess = classes[p.argmax(axis=1)]
    return {
        "macro_auc": float(np.mean(areas)),
        "balanced_accuracy": float(np.mean([(guess[targets == k] == k).mean() for k in classes])),
        "accuracy": float((guess == targets).mean()),
    }


def report(cases, probs, rounds, seed):
    """Measures with 95 % intervals; whole patients are drawn with replacement."""
    targets = cases.targets.numpy()
    rng = np.random.default_rng(seed)
    groups = {}
    for i, patient in enumerate(cases.patients):
        groups.setdefault(patient, []).append(i)
    groups = [np.array(g) for g in groups.values()]
    draws = {}
    for _ in range(rounds):
        pick = np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        if len(np.unique(targets[pick])) == len(np.unique(targets)):
            for key, value in measures(targets[pick], probs[pick]).items():
                draws.setdefault(key, []).append(value)
    out = {"n": len(targets), "patients": len(groups), "labels": [LABELS[k] for k in np.unique(targets)]}
    out.update(measures(targets, probs))
    for key, values in draws.items():
        out[key + "_ci"] = [float(x) for x in np.percentile(values, [2.5, 97.5])]
    return out


def draw_order(cases):
    """As many draws as cases: every class equally likely, and within a class every set by the root of its cases."""
    pair = cases.targets * 1000 + cases.sets
    kinds, which, count = torch.unique(pair, return_inverse=True, return_counts=True)
    share = count.float().sqrt()
    total = torch.zeros(len(LABELS)).index_add_(0, kinds // 1000, share)
    weight = share / total[kinds // 1000] / count
    return torch.multinomial(weight[which], len(pair), replacement=True)


def train(net, cases, val, args):
    """Trains net; it ends with the weights of the epoch that was best on val. -> that epoch, its macro AUC."""
    step = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=args.weight_decay)
    batches = (len(cases.targets) + args.batch - 1) // args.batch
    plan = torch.optim.lr_scheduler.OneCycleLR(
        step, args.lr, total_steps=batches * args.epochs, pct_start=0.15, anneal_strategy="cos"
    )
    best, best_state, best_epoch = -1.0, None, 0
    for epoch in range(args.epochs):
        net.train()
        start, total = time.monotonic(), 0.0
        for rows in draw_order(cases).split(args.batch):
            x = augment(cases.pictures[rows], args.side).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(net(x), cases.targets[rows], label_smoothing=0.1)
            step.zero_grad()
            loss.backward()
            step.step()
            plan.step()
            total += loss.item()
        auc = measures(val.targets.numpy(), predict(net, val.pictures, args.side))["macro_auc"]
        print(f"epoch {epoch + 1}: loss {total / batches:.3f}, val macro AUC {auc:.3f}, "
              f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        if auc > best:
            best, best_state, best_epoch = auc, copy.deepcopy(net.state_dict()), epoch + 1
    net.load_state_dict(best_state)
    return best_epoch, best


def arguments(description, **defaults):
    """The command line that the rivals share, with a rival's own defaults; returns the parser."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=pathlib.Path, required=True, help="folder of the data sets")
    parser.add_argument("--train", default="odir5k", help="comma list; the first one's split val chooses the epoch")
    parser.add_argument("--test", default="odir5k:test", help="comma list of NAME or NAME:SPLIT")
    parser.add_argument("--side", type=int, default=defaults["side"])
    parser.add_argument("--epochs", type=int, default=defaults["epochs"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=defaults["lr"])
    parser.add_argument("--weight-decay", type=float, default=defaults["weight_decay"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bootstrap", type=int, default=1000)
    parser.add_argument("--probabilities", type=pathlib.Path, help="folder: those of every test set's cases, as mdf eval --json has them")
    return parser


def write_cases(path, cases, probs):
    """For compare_runs.py: labels, and name, patient, label and probabilities of every case."""
    rows = [
        {"file_name": name, "patient_id": patient, "label": LABELS[target], "prob": dict(zip(LABELS, p))}
        for name, patient, target, p in zip(cases.names, cases.patients, cases.targets.tolist(), probs.tolist())
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"labels": LABELS, "cases": rows}), encoding="utf-8")


def run(name, make_net, args):
    """Loads, trains, tests, prints one JSON object on stdout; progress goes to stderr."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    start = time.monotonic()
    kept = int(args.side * MARGIN)
    names = args.train.split(",")
    cases = Cases([(args.root / n, "train") for n in names], kept)
    val = Cases([(args.root / names[0], "val")], kept)
    net = make_net(len(LABELS), cases).to(memory_format=torch.channels_last)
    epoch, auc = train(net, cases, val, args)
    result = {
        "model": name, "parameters": sum(p.numel() for p in net.parameters()), "train": names, "n_train": len(cases.targets),
        "side": args.side, "epochs": args.epochs, "best_epoch": epoch, "val_macro_auc": auc, "seed": args.seed,
        "threads": args.threads, "test": {},
    }
    for wanted in args.test.split(","):
        folder, _, split = wanted.partition(":")
        if folder in names and split in ("", "train"):
            sys.exit(f"--test {wanted}: split train of {folder} trains")
        test = Cases([(args.root / folder, split or None)], kept)
        probs = predict(net, test.pictures, args.side)
        result["test"][wanted] = report(test, probs, args.bootstrap, args.seed)
        if args.probabilities:
            write_cases(args.probabilities / (wanted.replace(":", "-") + ".json"), test, probs)
    result["minutes"] = (time.monotonic() - start) / 60
    print(json.dumps(result, indent=2))
