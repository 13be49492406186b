#!/usr/bin/env python3
"""Does PEFT load the adapters that `mdf train` with LoRA writes, and does it merge them to the same?

    python tools/check_lora_export.py build/mdf

Trains adapters on a few phantoms (all linear modules; q and v with rslora), exports base and run for transformers, and
has PEFT put the adapter on the exported base: no tensor may be left over or missing (PEFT itself only warns), every
adapted matrix merged by PEFT must be the run's within 1e-6 of its largest number (PEFT merges in float32, mdf in double),
and the others must be the base's. Prints a line per adapter.
"""

import json
import os
import subprocess
import sys
import tempfile

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import MllamaForConditionalGeneration

TOLERANCE = 1e-6
TINY = ["--config", "tiny", "--set", "unet_config.image_size=32", "--set", "fusion_config.grid=4",
        "--set", "text_config.hidden_size=32", "--set", "text_config.intermediate_size=64",
        "--set", "vision_config.image_size=28", "--set", "batch_size=4", "--set", "epochs=1"]
SETTINGS = {"all-linear": ["r=3", 'target_modules=["all-linear"]'],
            "q and v": ["r=4", "use_rslora=true", 'target_modules=["q_proj","v_proj"]']}


def run(*args):
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)


def export(mdf, folder):
    out = folder + "-hf"
    run(mdf, "export", "-q", "--model", folder, "--format", "hf", "--dtype", "f32", "--out", out)
    return out


def load(folder):
    return MllamaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()


def check(mdf, work, name, settings):
    folder = os.path.join(work, name.replace(" ", "-"))
    sets = [x for s in settings for x in ("--set", "lora." + s)]
    run(mdf, "train", "-q", "--data", os.path.join(work, "data"), "--init", os.path.join(work, "base"), "--set", "epochs=1",
        "--set", "lr_lora=0.01", *sets, "--out", folder)
    adapter = os.path.join(folder, "adapter")
    want = load(export(mdf, folder)).state_dict()
    base = load(os.path.join(work, "base-hf"))
    before = {k: v.clone() for k, v in base.state_dict().items()}
    model = PeftModel.from_pretrained(base, adapter)
    inside = {k.replace(".default.", "."): v for k, v in model.state_dict().items() if "lora_" in k}
    file = load_file(os.path.join(adapter, "adapter_model.safetensors"))
    if set(inside) != set(file):
        sys.exit(f"{name}: PEFT's tensors and the file's differ: {sorted(set(inside) ^ set(file))[:4]}")
    if not all(torch.equal(inside[k], file[k]) for k in file):
        sys.exit(f"{name}: PEFT did not take every number")
    merged = model.merge_and_unload().state_dict()
    changed = 0
    for key, value in merged.items():
        error = (value - want[key]).abs().max().item()
        if error > TOLERANCE * want[key].abs().max().item():
            sys.exit(f"{name}: {key} is {error:g} off")
        changed += not torch.equal(value, before[key])
    with open(os.path.join(adapter, "adapter_config.json")) as f:
        modules = json.load(f)["target_modules"]
    if changed != len(modules) or 2 * changed != len(file):
        sys.exit(f"{name}: {changed} matrices changed, {len(modules)} modules named, {len(file)} tensors")
    print(f"{name}: {changed} matrices, merged as mdf merges them")


def main():
    mdf = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        data = os.path.join(work, "data")
        run(mdf, "data", "synth", "-q", "--patients", "8", "--size", "32", "--seed", "5", "--label", "normal", "--label", "dr",
            data)
        run(mdf, "train", "-q", "--data", data, *TINY, "--out", os.path.join(work, "base"))
        export(mdf, os.path.join(work, "base"))
        for name, settings in SETTINGS.items():
            check(mdf, work, name, settings)


main()
