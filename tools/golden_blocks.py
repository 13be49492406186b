"""Writes tests/golden/blocks/ with the gguf package: what blocks of every type stand for, and how
far its quantisers are off.

    python tools/golden_blocks.py
"""

import pathlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "blocks"
# type -> byte offsets of its half-precision fields
HALVES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q4_K": [0, 2],
          "Q5_K": [0, 2], "Q6_K": [208]}
HALF_VALUES = [0.0, -0.0, 6e-8, -5e-7, 1.0, -0.75, 0.0123, -0.0456, 60000.0]


def random_blocks(rng, name, count):
    """Any bytes, with scales that are finite: zero, subnormal, small, large, of both signs."""
    blocks = rng.integers(0, 256, (count, GGML_QUANT_SIZES[GGMLQuantizationType[name]][1]), np.uint8)
    for at in HALVES[name]:
        half = rng.permutation(np.resize(np.float16(HALF_VALUES), count))
        blocks[:, at:at + 2] = half.astype(np.float16).view(np.uint8).reshape(count, 2)
    return blocks


def rounded(x):
    """Through half precision."""
    return x.astype(np.float16).astype(np.float32)


def plain_k(name, x):
    """The K types by the plain rule (the package has no quantiser for them): the largest number, or
    the ends of the range, fit exactly; scales are rounded to whole multiples."""
    if name == "Q6_K":
        sub = x.reshape(-1, 16, 16)
        scale = np.take_along_axis(sub, np.abs(sub).argmax(2)[..., None], 2) / -32
        unit = rounded(np.abs(scale).max(1, keepdims=True) / 127)
        scale = np.rint(scale / unit) * unit
        return (np.clip(np.rint(sub / scale), -32, 31) * scale).ravel()
    top = 15 if name == "Q4_K" else 31
    sub = x.reshape(-1, 8, 32)
    low = np.minimum(sub.min(2, keepdims=True), 0)
    scale = (sub.max(2, keepdims=True) - low) / top
    unit = rounded(scale.max(1, keepdims=True) / 63)
    unit_low = rounded(-low.min(1, keepdims=True) / 63)
    scale = np.rint(scale / unit) * unit
    low = np.rint(-low / unit_low) * unit_low
    return (np.clip(np.rint((sub + low) / scale), 0, top) * scale - low).ravel()


def main():
    """blocks.safetensors."""
    rng = np.random.default_rng(7)
    x = (0.02 * rng.standard_normal(8192)).astype(np.float32)
    out = {"x": x}
    for name in HALVES:
        kind = GGMLQuantizationType[name]
        block, size = GGML_QUANT_SIZES[kind]
        bytes_ = random_blocks(rng, name, 18 if block == 32 else 4)
        out[f"{name}.blocks"] = bytes_
        out[f"{name}.floats"] = quants.dequantize(bytes_, kind)
        if block == 32:
            near = quants.dequantize(quants.quantize(x.reshape(-1, block), kind), kind).ravel()
        else:
            near = plain_k(name, x)
        error = near.astype(np.float64) - x.astype(np.float64)
        out[f"{name}.rms"] = np.sqrt(np.mean(error**2)).reshape(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file(out, FOLDER / "blocks.safetensors")
    (FOLDER / "blocks.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
