"""Makes tests/golden/image/tiles.txt, pixels.txt and norms.txt: how transformers 4's MllamaImageProcessor (the slow class, PIL) cuts pictures.

    python tools/golden_image_tiles.py tests/golden/image

Needs numpy, pillow (11: see the README there), torch and transformers 4. The pictures are not stored: pattern() is repeated in the
C tests. Prints what it also compares: all pixel values of mllama.txt, by their hash."""
import os
import sys

import numpy as np
import PIL
import transformers
from PIL import Image
from transformers.models.mllama import image_processing_mllama as mllama

from golden_pattern import MEAN, STD, fnv, pattern

OUT = sys.argv[1]
SAMPLES = 24


def processor(tile, tiles, mean, std):
    return mllama.MllamaImageProcessor(size={"height": tile, "width": tile}, max_image_tiles=tiles, image_mean=mean, image_std=std)


def cut(w, h, tile, tiles, mean=MEAN, std=STD):
    out = processor(tile, tiles, mean, std)(Image.fromarray(pattern(w, h, 3)), return_tensors="np")
    return (np.ascontiguousarray(out["pixel_values"][0, 0], dtype=np.float32), int(out["aspect_ratio_ids"][0, 0]),
            int(out["aspect_ratio_mask"][0, 0].sum()))


def layout(w, h, tile, tiles):
    hh, ww = mllama.get_optimal_tiled_canvas(h, w, tiles, tile)
    rh, rw = mllama.get_image_size_fit_to_canvas(h, w, hh, ww, tile)
    return hh // tile, ww // tile, rw, rh


# Every canvas of four tiles, squares of all kinds, cameras' formats, strips, and a pixel more or less than whole tiles.
SIZES = [(560, 560), (1120, 560), (1680, 560), (2240, 560), (560, 1120), (1120, 1120), (560, 1680), (560, 2240),
         (559, 559), (561, 561), (1119, 1119), (1121, 1121), (200, 200), (800, 800), (1000, 1000), (2000, 2000),
         (640, 480), (480, 640), (768, 576), (1024, 768), (1280, 720), (720, 1280), (1600, 1200), (2048, 1536),
         (2144, 1424), (1424, 2144), (1500, 1152), (1444, 1444), (3000, 500), (500, 3000), (2241, 560), (560, 2241),
         (1681, 561), (561, 1681), (1, 1), (1, 500), (500, 1), (30, 7), (7, 30), (999, 961), (1200, 300), (300, 1200),
         (900, 300), (300, 900), (600, 300), (300, 600), (565, 584), (700, 605)]


def goldens_pixels():
    lines = ["# width height tile tiles  high wide id used, then per sample: tile channel y x value"]
    place = np.random.default_rng(5)
    for i, (w, h) in enumerate(SIZES):
        tile = 448 if i % 4 == 3 else 560
        values, id_, used = cut(w, h, tile, 4)
        high, wide, rw, rh = layout(w, h, tile, 4)
        assert used == high * wide
        samples = []
        for k in range(SAMPLES):
            x, y = (int(place.integers(0, n)) for n in (rw, rh))  # most inside of the picture
            x, y = (rw - 1, y) if k % 6 == 0 else (x, rh - 1) if k % 6 == 1 else (x, y)  # its last column and row
            x, y = (min(rw, wide * tile - 1), y) if k == 20 else (x, min(rh, high * tile - 1)) if k == 21 else (x, y)  # padding
            c, t = k % 3, y // tile * wide + x // tile
            samples.append(f"{t} {c} {y % tile} {x % tile} {values[t, c, y % tile, x % tile]:.9g}")
        lines.append(f"{w} {h} {tile} 4 {high} {wide} {id_} {used} " + " ".join(samples))
    open(f"{OUT}/pixels.txt", "w").write("\n".join(lines) + "\n")


def goldens_tiles():
    lines = ["# width height tile tiles  high wide id resized_w resized_h"]
    for tiles in (1, 2, 3, 5, 6, 8, 12, 16):
        for w, h in ((56, 56), (57, 56), (112, 112), (300, 50), (50, 300), (640, 480), (480, 640), (168, 112), (400, 399), (10, 1000)):
            high, wide, rw, rh = layout(w, h, 56, tiles)
            id_ = int(np.array(mllama.convert_aspect_ratios_to_ids([[(high, wide)]], tiles)).ravel()[0])
            lines.append(f"{w} {h} 56 {tiles} {high} {wide} {id_} {rw} {rh}")
    open(f"{OUT}/tiles.txt", "w").write("\n".join(lines) + "\n")


NORMS = [([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]), ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), ([0, -0.25, 1.5], [1, 3.75, 0.001])]


def goldens_norms():
    """The class's own default, ImageNet's, and odd ones."""
    lines = ["# width height tile  mean r g b  std r g b  fnv1a(pixel_values)"]
    for mean, std in NORMS:
        for w, h in ((57, 56), (224, 220), (300, 50)):
            values = cut(w, h, 56, 4, mean, std)[0]
            lines.append(f"{w} {h} 56 {' '.join(map(str, mean))} {' '.join(map(str, std))} {fnv(values.tobytes()):016x}")
    open(f"{OUT}/norms.txt", "w").write("\n".join(lines) + "\n")


def check_hashes():
    same = rows = 0
    for line in open(os.path.join(OUT, "mllama.txt")):
        if line[0] != "#":
            w, h, tile = (int(v) for v in line.split()[:3])
            rows += 1
            same += f"{fnv(cut(w, h, tile, 4)[0].tobytes()):016x}" == line.split()[8]
    print(f"mllama.txt: {same} of {rows} hashes are those of transformers {transformers.__version__}, Pillow {PIL.__version__}")


goldens_pixels()
goldens_tiles()
goldens_norms()
check_hashes()
