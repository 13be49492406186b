"""Makes pictures that are no fundus photographs, and fundus photographs without their frame.

    python tools/nonfundus.py OUT [--photos DIR] [--fundus DIR]

OUT/drawn: noise, gradients, stripes, text pages, 1/f colour noise, plain colours.
OUT/photos: every picture of --photos whole, in crops, and in a black circular frame.
OUT/cropped: the middle of every tenth picture of --fundus, without any black.
For measuring mdf_quality_score() only (docs/QUALITY.md); nothing of it is part of the project.
Needs numpy and pillow."""
import argparse
import glob
import os

import numpy as np
from PIL import Image, ImageDraw

ap = argparse.ArgumentParser()
ap.add_argument("out")
ap.add_argument("--photos")
ap.add_argument("--fundus")
a = ap.parse_args()
rng = np.random.default_rng(7)
S = 384


def save(kind, name, px):
    os.makedirs(f"{a.out}/{kind}", exist_ok=True)
    Image.fromarray(np.clip(px, 0, 255).astype(np.uint8)).save(f"{a.out}/{kind}/{name}.png")


def pink(beta):
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(S), np.fft.fftfreq(S)))
    f[0, 0] = 1
    z = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(S, S))) / f ** beta).real for _ in range(3)]
    z = np.stack([(x - x.mean()) / x.std() for x in z], -1)
    mix = rng.normal(size=(3, 3)) * 0.4 + np.eye(3) * 0.3 + 0.5
    return 127 + z @ mix * rng.uniform(20, 60) + rng.normal(size=3) * 30


def framed(px):
    y, x = np.mgrid[:S, :S] - S / 2
    return px * (np.hypot(x, y) < S * 0.48)[..., None]


def draw():
    y, x = np.mgrid[:S, :S] / S
    for i in range(40):
        save("drawn", f"noise{i}", rng.normal(128, 20 + 2 * i, (S, S, 3)))
        save("drawn", f"pink{i}", pink(rng.uniform(0.7, 1.6)))
        save("drawn", f"pink_framed{i}", framed(pink(rng.uniform(0.7, 1.6))))
        t = rng.uniform(0, 6.3)
        g = (np.cos(t) * x + np.sin(t) * y)[..., None]
        save("drawn", f"gradient{i}", rng.uniform(0, 255, 3) * (1 - g) + rng.uniform(0, 255, 3) * g)
        s = (np.sin(g * rng.uniform(20, 200)) > 0) * rng.uniform(50, 255, 3)
        save("drawn", f"stripes{i}", s)
        save("drawn", f"plain{i}", np.ones((S, S, 3)) * rng.uniform(0, 255, 3))
        im = Image.new("RGB", (S, S), "white" if i % 2 else "black")
        d = ImageDraw.Draw(im)
        for k in range(30):
            word = "".join(chr(rng.integers(97, 123)) for _ in range(rng.integers(10, 60)))
            d.text((10, 10 + 12 * k), word, fill="black" if i % 2 else "white")
        save("drawn", f"text{i}", np.array(im))


def photos(folder):
    for f in sorted(glob.glob(f"{folder}/*")):
        name = os.path.basename(f)
        im = Image.open(f).convert("RGB")
        whole = im.copy()
        whole.thumbnail((512, 512))
        save("photos", name, np.array(whole))
        w, h = im.size
        for k in range(8):
            s = int(min(w, h) * rng.uniform(0.4, 1.0))
            u, v = rng.integers(0, w - s + 1), rng.integers(0, h - s + 1)
            px = np.array(im.crop((u, v, u + s, v + s)).resize((S, S), Image.BILINEAR)).astype(float)
            save("photos", f"{name}_crop{k}", px)
            save("photos", f"{name}_framed{k}", framed(px))


draw()
if a.photos:
    photos(a.photos)
if a.fundus:
    for f in sorted(glob.glob(f"{a.fundus}/*.jpg"))[::10]:
        im = Image.open(f).convert("RGB")
        w, h = im.size
        r = min(w, h) * 0.33
        save("cropped", os.path.basename(f), np.array(im.crop((int(w / 2 - r), int(h / 2 - r), int(w / 2 + r), int(h / 2 + r)))))
