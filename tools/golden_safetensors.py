"""Writes tests/golden/safetensors/ with the reference library: every number type, and two shards.

Every number follows from its place, so that the test needs no list: number i of a tensor is
(i - 2) / 2 for floating-point types, i - 2 for signed and i for unsigned ones, i % 2 for BOOL.

    python tools/golden_safetensors.py
"""

import json
import pathlib

import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "safetensors"
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
SIGNED = {"I64": torch.int64, "I32": torch.int32, "I8": torch.int8}


def tensors():
    """name -> tensor; shapes [3,5] where nothing else is said."""
    place = torch.arange(15).reshape(3, 5)
    every = {name: ((place - 2) / 2).to(kind) for name, kind in FLOATS.items()}
    every.update({name: (place - 2).to(kind) for name, kind in SIGNED.items()})
    every["U8"] = place.to(torch.uint8)
    every["BOOL"] = place % 2 == 1
    every["one number"] = torch.tensor(-1.0)
    every["none"] = torch.zeros(2, 0, 4)
    every['a "name" é'] = torch.tensor([-1.0, -0.5])
    return every


def main():
    """All files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    every = tensors()
    save_file(every, FOLDER / "types.safetensors", metadata={"format": "pt", "note": 'a "b"\n'})
    shards = {"model-00001-of-00002.safetensors": ["F16", "F32"],
              "model-00002-of-00002.safetensors": ["BF16", "none"]}
    index = {"metadata": {"total_size": 0}, "weight_map": {}}
    for file, names in shards.items():
        save_file({name: every[name] for name in names}, FOLDER / file, metadata={"format": "pt"})
        for name in names:
            index["metadata"]["total_size"] += every[name].numel() * every[name].element_size()
            index["weight_map"][name] = file
    text = json.dumps(index, indent=2) + "\n"
    (FOLDER / "model.safetensors.index.json").write_text(text, encoding="utf-8")
    for file in FOLDER.iterdir():
        file.chmod(0o644)  # save_file leaves them readable by the owner only


if __name__ == "__main__":
    main()
