"""Masks of optic disc and cup for photographs that have none, drawn by others' nets: a data folder for `mdf train --mask-data`.

    python bench/teacher_masks.py --weights automorph_wnet_disc_cup_seed28.npz,automorph_wnet_disc_cup_seed42.npz \\
        --data DIR/odir5k --count 400 --out teacher

The nets are AutoMorph's (github.com/rmaphoh/AutoMorph, M2_lwnet_disc_cup, Apache-2.0; Zhou et al. 2022), W-Nets as Galdran et
al. 2022 describe them: two small U-Nets of residual blocks (convolution, ReLU, batch norm, twice; beside them a 1x1
convolution with a batch norm), the second of which sees the picture and the first one's answer. Pictures are the field of
view at 512 x 512, 0..1; the answers are background, rim and cup.

A mask is what the mean of both nets' probabilities says; a picture is kept where both agree and its disc is one round area
of a disc's size; how many are refused, and why, is printed. Only split `train` is read: nothing of a validation or a test
gets a mask.
"""

import argparse
import collections
import csv
import pathlib
import shutil

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage

SIDE = 512


def load(path):
    """An .npz file's arrays by the names of the state_dict."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


def norm(x, w, name):
    """Batch norm with the stored statistics."""
    return F.batch_norm(x, w[name + ".running_mean"], w[name + ".running_var"], w[name + ".weight"], w[name + ".bias"])


def convolution(x, w, name):
    """Same size; with a bias where the file has one."""
    weight = w[name + ".weight"]
    return F.conv2d(x, weight, w.get(name + ".bias"), padding=weight.shape[2] // 2)


def block(x, w, name):
    """Two convolutions with a shortcut, or one without."""
    y = norm(convolution(x, w, name + ".block.0").relu(), w, name + ".block.2")
    if name + ".block.3.weight" in w:
        y = norm(convolution(y, w, name + ".block.3").relu(), w, name + ".block.5")
    if name + ".shortcut.0.weight" in w:
        y = y + norm(convolution(x, w, name + ".shortcut.0"), w, name + ".shortcut.1")
    return y


def unet(x, w, name):
    """One of the two nets -> logits."""
    depth = sum(f"{name}.down_path.{i}.block.0.weight" in w for i in range(8))
    x, skips = block(x, w, name + ".first"), []
    for i in range(depth):
        skips.append(x)
        x = block(F.max_pool2d(x, 2), w, f"{name}.down_path.{i}")
    for i in range(depth):
        up = f"{name}.up_path.{i}"
        x = F.conv_transpose2d(x, w[up + ".up_layer.block.0.weight"], w[up + ".up_layer.block.0.bias"], stride=2)
        x = block(torch.cat([x, block(skips.pop(), w, up + ".conv_bridge_layer")], 1), w, up + ".conv_layer")
    return convolution(x, w, name + ".final")


def wnet(x, w):
    """[1,3,H,W] -> probabilities [3,H,W] of ground, rim and cup."""
    with torch.no_grad():
        return unet(torch.cat([x, unet(x, w, "unet1")], 1), w, "unet2")[0].softmax(0).numpy()


def field_of_view(pixels):
    """-> square of SIDE x SIDE, and where it lies: (left, top, side) in the picture."""
    bright = pixels.max(axis=2) > 15
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    side = max(height, width)
    left, top = columns[0] - (side - width) // 2, rows[0] - (side - height) // 2
    picture = Image.fromarray(pixels).crop((left, top, left + side, top + side))
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)), (left, top, side)


def dice(a, b):
    """Overlap of two masks; 0 where both are empty."""
    return 2 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def disc_of(probabilities):
    """[H,W]: what is rather disc than ground."""
    return probabilities[0] < 0.5


def cup_of(probabilities):
    """[H,W]: what is rather cup than rim or ground."""
    return probabilities.argmax(0) == 2


def fault(answers, disc):
    """Why the nets' answers and the disc that both give are not to be trusted; None: they are."""
    discs, cups = [disc_of(p) for p in answers], [cup_of(p) for p in answers]
    if not 0.004 < disc.mean() < 0.04:
        return "no area of a disc's size"
    if dice(*discs) < 0.9 or dice(*cups) < 0.75:
        return "the nets disagree"
    parts, count = ndimage.label(disc)
    largest = max(int((parts == i + 1).sum()) for i in range(count))
    rows, columns = np.flatnonzero(disc.any(axis=1)), np.flatnonzero(disc.any(axis=0))
    box = (rows[-1] + 1 - rows[0]) * (columns[-1] + 1 - columns[0])
    if largest < 0.97 * disc.sum() or not 0.7 < disc.sum() / box < 0.87:  # a circle has pi / 4
        return "not one round area"
    return None


def full_size(mask, where, size):
    """A mask of the field of view -> picture of `size` (width, height), 0 or 255."""
    left, top, side = (int(v) for v in where)
    out = Image.new("L", size)
    out.paste(Image.fromarray(mask.astype(np.uint8) * 255).resize((side, side), Image.Resampling.BILINEAR), (left, top))
    return out.point(lambda v: 255 if v > 127 else 0)


def main():
    """Draws, keeps, counts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--weights", required=True, help="two .npz files with a comma between them")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with metadata.csv")
    parser.add_argument("--count", type=int, default=400, help="pictures to look at, drawn by chance")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    nets = [load(path) for path in args.weights.split(",")]
    with open(args.data / "metadata.csv", newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["split"] == "train"]
    order = np.random.default_rng(args.seed).permutation(len(rows))[: args.count]
    for name in ("images", "disc", "cup"):
        (args.out / name).mkdir(parents=True, exist_ok=True)
    kept, refused = [], collections.Counter()
    for row in (rows[i] for i in order):
        source = args.data / row["file_name"]
        with Image.open(source) as image:
            pixels = np.asarray(image.convert("RGB"))
        square, where = field_of_view(pixels)
        x = torch.from_numpy(square.copy()).permute(2, 0, 1)[None].float() / 255
        answers = [wnet(x, net) for net in nets]
        mean = sum(answers) / len(answers)
        why = fault(answers, disc_of(mean))
        if why is not None:
            refused[why] += 1
            continue
        name, size = source.stem + ".png", (pixels.shape[1], pixels.shape[0])
        shutil.copyfile(source, args.out / "images" / source.name)
        full_size(disc_of(mean), where, size).save(args.out / "disc" / name)
        full_size(cup_of(mean), where, size).save(args.out / "cup" / name)
        kept.append([f"images/{source.name}", row["patient_id"], "train", f"disc/{name}", f"cup/{name}"])
    with open(args.out / "metadata.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["file_name", "patient_id", "split", "disc_mask", "cup_mask"], *kept])
    print(f"{args.out}: {len(kept)} of {len(order)} pictures;", "; ".join(f"{why} {n}" for why, n in refused.items()))


if __name__ == "__main__":
    main()
