"""Writes tests/golden/torch/ with torch.save and, for what it would not write, Python's pickle.

Every number follows from its place, so that the tests need no list: number i of a tensor is
(i - 2) / 2 for floating-point types, i - 2 for signed and i for unsigned ones, i % 2 for BOOL; the
tensors of the views' files count from 0 in the order of memory.

    python tools/golden_torch.py
"""

import collections
import io
import json
import os
import pathlib
import pickle
import zipfile

import safetensors.torch
import torch

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "torch"
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
SIGNED = {"I64": torch.int64, "I32": torch.int32, "I8": torch.int8}


def types():
    """name -> tensor; shapes [3,5] where nothing else is said."""
    place = torch.arange(15).reshape(3, 5)
    every = collections.OrderedDict((n, ((place - 2) / 2).to(kind)) for n, kind in FLOATS.items())
    every.update({name: (place - 2).to(kind) for name, kind in SIGNED.items()})
    every["U8"] = place.to(torch.uint8)
    every["BOOL"] = place % 2 == 1
    every["one number"] = torch.tensor(-1.0)
    every["counter"] = torch.tensor(-3, dtype=torch.int64)
    every["none"] = torch.zeros(2, 0, 4)
    every["é"] = torch.nn.Parameter(torch.tensor([-1.0, -0.5]), requires_grad=True)
    return every


def views():
    """Tensors that share their numbers, in memory's order or not."""
    whole = torch.arange(24.0).reshape(4, 6)
    return {
        "whole": whole,
        "again": whole,
        "rows": whole[1:3],
        "transposed": whole.t(),
        "columns": whole[:, 1::2],
        "expanded": torch.arange(2.0).expand(3, 2),
        "last": torch.arange(12.0).reshape(2, 2, 3).permute(0, 2, 1),
        "parameter": torch.nn.Parameter(whole),
    }


def shell():
    """A checkpoint of a training of torch.nn.DataParallel."""
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    for tensor in net.state_dict().values():
        tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.5)
    state = torch.nn.DataParallel(net).state_dict()
    return {"epoch": 3, "best": 0.75, "state_dict": state, "optimizer": optimizer.state_dict(),
            "arch": "net", "seed": 1 << 80}


def nested():
    """Dictionaries in a dictionary, and what is no tensor."""
    return {"encoder": {"a": torch.arange(2.0), "b": collections.OrderedDict(c=torch.ones(1))},
            "head.weight": torch.arange(3.0), "note": "text", "sizes": [1, (2, None)], 7: True}


def save(name, what, **options):
    """torch.save with the archive's name not depending on the folder."""
    torch.save(what, FOLDER / name, **options)


class Command:
    """What a hostile file would run."""

    def __reduce__(self):
        return os.system, ("touch PWNED",)


def hostile(name, protocol):
    """A torch archive whose pickle runs a command; none of it is run here."""
    data = pickle.dumps({"w": Command()}, protocol=protocol)
    with zipfile.ZipFile(FOLDER / name, "w") as z:
        for entry, content in (("archive/data.pkl", data), ("archive/version", b"3\n")):
            z.writestr(zipfile.ZipInfo(entry), content)


def packed(name):
    """A torch archive that another program has compressed."""
    source = io.BytesIO()
    torch.save({"w": torch.zeros(64)}, source)
    with zipfile.ZipFile(source) as z, zipfile.ZipFile(FOLDER / name, "w") as out:
        for entry in z.namelist():
            info = zipfile.ZipInfo(entry)
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, z.read(entry))


def model():
    """The tied model of tests/golden/hf/llama_f32: in one file with its head, the way torch keeps it,
    and in two shards of the old format."""
    source = FOLDER.parent / "hf" / "llama_f32" / "model.safetensors"
    tensors = safetensors.torch.load_file(source)
    half = len(tensors) // 2
    names = list(tensors)
    shards = {"pytorch_model-00001-of-00002.bin": names[:half],
              "pytorch_model-00002-of-00002.bin": names[half:]}
    for file, part in shards.items():
        torch.save({name: tensors[name] for name in part}, FOLDER / "llama_shards" / file,
                   _use_new_zipfile_serialization=False)
    index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())},
             "weight_map": {name: file for file, part in shards.items() for name in part}}
    text = json.dumps(index, indent=1) + "\n"
    (FOLDER / "llama_shards" / "pytorch_model.bin.index.json").write_text(text, encoding="utf-8")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    turned = "model.layers.1.mlp.up_proj.weight"  # as a model in another memory format has it
    tensors[turned] = tensors[turned].t().contiguous().t()
    torch.save(collections.OrderedDict(tensors, note="not a tensor"),
               FOLDER / "llama" / "pytorch_model.bin")


def main():
    """All files."""
    for folder in ("", "llama", "llama_shards"):
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
    model()
    old = {"_use_new_zipfile_serialization": False}
    save("types.pt", types())
    save("types_4.pt", types(), pickle_protocol=4)
    save("types_5.pt", types(), pickle_protocol=5)
    save("types_old.pt", types(), **old)
    save("types_old_4.pt", types(), pickle_protocol=4, **old)
    save("views.pt", views())
    save("views_old.pt", views(), **old)
    save("shell.pt", shell())
    save("shell_old.pt", shell(), **old)
    save("nested.pt", nested())
    save("int16.pt", {"w": torch.arange(3, dtype=torch.int16)})
    save("alone.pt", torch.arange(3.0))
    save("list.pt", [torch.arange(3.0)])
    save("module.pt", torch.nn.Linear(2, 1))
    save("conjugate.pt", {"w": torch.tensor([1.5, 2.5])._neg_view()})
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 1)), FOLDER / "script.pt")
    hostile("system.pt", 2)
    hostile("system_4.pt", 4)
    (FOLDER / "system_old.pt").write_bytes(pickle.dumps(Command(), protocol=2))
    packed("packed.pt")


if __name__ == "__main__":
    main()
