"""Makes tests/golden/masks: the same mask as other software writes masks.

    python tools/golden_masks.py tests/golden/masks

Needs numpy and pillow. The foreground is known before anything is written: a rectangle of the
picture, or the pixels of a soft mask above half of white."""
import os
import sys

import numpy as np
from PIL import Image

from golden_pattern import fnv

OUT = sys.argv[1]
W, H = 32, 24
RECTANGLE = np.zeros((H, W), bool)
RECTANGLE[4:20, 8:24] = True
CLASSES = np.zeros((H, W), np.uint8)  # four numbers in the rectangle
CLASSES[4:12, 8:16], CLASSES[4:12, 16:24], CLASSES[12:20, 8:16], CLASSES[12:20, 16:24] = 1, 2, 3, 8
LINES = []


def put(name, picture, kind, clear, levels, on=RECTANGLE, **options):
    picture.save(f"{OUT}/{name}", **options)
    LINES.append(f"{name} {kind} {clear} {levels} {int(on.sum())} {fnv((on * 255).astype(np.uint8).tobytes()):016x}")


def two(high, dtype=np.uint8):
    return Image.fromarray(RECTANGLE.astype(dtype) * dtype(high))


def voc_palette():
    """Colours of PASCAL VOC: the bits of the number, spread over the channels; many are dark."""
    out = []
    for i in range(256):
        rgb, c = [0, 0, 0], i
        for bit in range(7, -1, -1):
            for k in range(3):
                rgb[k] |= (c >> k & 1) << bit
            c >>= 3
        out += rgb
    return out


def palette(values, colours):
    im = Image.fromarray(values).convert("P") if values.dtype == bool else Image.new("P", (W, H))
    im.putdata(values.ravel().tolist())
    im.putpalette(colours)
    return im


def soft(dtype, white):
    """A disc of radius 8 whose edge is as wide as a pixel: what it covers of each."""
    y, x = np.mgrid[0:H, 0:W] + 0.5
    return np.rint(np.clip(8.5 - np.hypot(x - 16.3, y - 11.6), 0, 1) * white).astype(dtype)


os.makedirs(OUT, exist_ok=True)
put("usual.png", two(255), "two", 1, "0,255")
put("one.png", two(1), "two", 1, "0,1")
put("half.png", two(100), "two", 1, "0,100")
put("deep_255.png", two(255, np.uint16), "two", 1, "0,255")
put("deep_65535.png", two(65535, np.uint16), "two", 1, "0,65535")
put("deep_1.tif", two(1, np.uint16), "two", 1, "0,1")
put("bits.png", Image.fromarray(RECTANGLE), "two", 1, "0,255")
put("bits.tif", Image.fromarray(RECTANGLE), "two", 1, "0,255", compression="group4")
put("numbers.png", Image.fromarray(CLASSES), "classes", 0, "0,1,2,3,8")
put("deep_numbers.png", Image.fromarray(CLASSES.astype(np.uint16)), "classes", 0, "0,1,2,3,8")
put("palette_one.png", palette(RECTANGLE.astype(np.uint8), [0, 0, 0, 128, 0, 0]), "two", 1, "0,128")
# 8 is (64, 0, 0): below half of the others
put("palette_voc.png", palette(CLASSES, voc_palette()), "classes", 0, "0,64,128")
put("palette_grey.png", palette(RECTANGLE.astype(np.uint8), [i // 3 for i in range(768)]), "two", 1, "0,1")
put("usual.gif", two(255), "two", 1, "0,255")
put("red.png", Image.merge("RGB", (two(200), two(0), two(0))), "two", 1, "0,200")
put("empty.png", two(0), "empty", 1, "0", np.zeros((H, W), bool))
put("full.png", Image.new("L", (W, H), 255), "full", 0, "255", np.ones((H, W), bool))
put("full_one.png", Image.new("L", (W, H), 1), "full", 0, "1", np.ones((H, W), bool))
put("white.png", Image.fromarray(254 + RECTANGLE.astype(np.uint8)), "two", 0, "254,255")
three = np.where(RECTANGLE, 255, 0).astype(np.uint8)
three[12:20, 8:24] = 127
put("three.png", Image.fromarray(three), "soft", 0, "0,127,255", three > 127)
put("soft.png", Image.fromarray(soft(np.uint8, 255)), "soft", 1, "-", soft(np.uint8, 255) > 127)
put("deep_soft.png", Image.fromarray(soft(np.uint16, 65535)), "soft", 1, "-", soft(np.uint16, 65535) > 32767)
with open(f"{OUT}/masks.txt", "w") as f:
    f.write("# file kind clear values foreground fnv1a(0 or 255 a pixel)\n" + "\n".join(LINES) + "\n")
