"""Pictures that are not stored, and hashes: what golden_image.py and golden_image_tiles.py share. The C tests repeat pattern()."""
import numpy as np

MEAN = [0.48145466, 0.4578275, 0.40821073]  # of the published checkpoints; the class itself defaults to 0.5
STD = [0.26862954, 0.26130258, 0.27577711]


def pattern(w, h, c):
    """Smooth waves plus a fixed noise, all in integers: the same in Python and C."""
    y, x, k = np.meshgrid(np.arange(h), np.arange(w), np.arange(c), indexing="ij")
    n = (x * 73856093 ^ y * 19349663 ^ k * 83492791) & 0xFFFFFFFF
    n = (n * 2654435761 & 0xFFFFFFFF) >> 24
    return ((n + 3 * ((x * 5 + y * 3 + k * 40) & 255)) // 4).astype(np.uint8)


def fnv(data):
    """64-bit FNV-1a over bytes."""
    h = 14695981039346656037
    for b in data:
        h = (h ^ b) * 1099511628211 & 0xFFFFFFFFFFFFFFFF
    return h
