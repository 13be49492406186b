"""Writes tests/golden/model: a very small MDF-MLLM with all gates open, two cases, and what the reference
(tools/reference.py) makes of them: scores, losses, states, gradients and ten AdamW steps.

    python tools/golden_model.py [OUT_DIR]

Weights and cases are float32 numbers; everything is computed from them in float64 and rounded once.
"""

import copy
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

import reference as ref

SEED = 2509
LABELS = ["normal", "dr", "drusen", "glaucoma", "inherited: stargardt", "inherited: retinitis pigmentosa"]
TEXTS = ["62-year-old male. Right eye. Visual acuity 0.3, caf\u00e9-au-lait.", ""]
TRUTH = [3, 5]
STEPS = {"steps": 10, "lr": 0.0005, "beta1": 0.9, "beta2": 0.95, "eps": 1e-5, "weight_decay": 0.05}

CONFIG = {
    "model_type": "mdf_mllm",
    "image_token_index": 264,
    "tokenizer": "bytes",
    "text_config": {
        "vocab_size": 264, "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 24, "cross_attention_layers": [1, 3],
        "rope_theta": 10000.0,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
        "rms_norm_eps": 1e-5, "max_position_embeddings": 256, "tie_word_embeddings": False,
        "initializer_range": 0.05, "gate_init": 0.5,
    },
    "vision_config": {
        "hidden_size": 8, "num_hidden_layers": 2, "num_global_layers": 1, "attention_heads": 2,
        "intermediate_size": 16, "image_size": 28, "patch_size": 14, "max_num_tiles": 4,
        "intermediate_layers_indices": [0, 1], "norm_eps": 1e-5, "initializer_range": 0.05, "gate_init": 0.5,
    },
    "unet_config": {"base": 2, "image_size": 32, "norm_groups": 2, "masks": ["vessel", "lesion"]},
    "fusion_config": {
        "map": [[1, 1], [1, 2], [3, 3], [3, 4]], "grid": 2, "cells": 2, "attend": "branch",
        "film_direction": "text_to_unet", "film_hidden": 8, "gate_init": 0.5,
    },
    "answer_config": {"labels": LABELS, "normalise": "mean", "scale": 8.0, "missing_text": "No clinical text."},
    "train_config": {
        "epochs": 1, "batch_size": 2, "accumulate": 1, "lr": STEPS["lr"], "lr_unet": STEPS["lr"],
        "lr_vision": STEPS["lr"], "lr_fusion": STEPS["lr"], "weight_decay": STEPS["weight_decay"],
        "beta1": STEPS["beta1"], "beta2": STEPS["beta2"], "eps": STEPS["eps"], "clip_norm": 0.0, "warmup": 0.0,
        "min_lr": 1.0, "label_smoothing": 0.05, "lm_weight": 0.1, "mask_weight": 0.5, "balanced": False,
        "patience": 0, "dropout": 0.0,
        "augment": {"rotate": 0.0, "scale": 0.0, "shift": 0.0, "flip": False, "color": 0.0},
    },
}

# name -> what changes in the config; no_image keeps the config and leaves the picture out.
VARIANTS = {
    "unet_to_text": {"fusion_config": {"film_direction": "unet_to_text"}},
    "film_none": {"fusion_config": {"film_direction": "none"}},
    "concat": {"fusion_config": {"attend": "concat", "map": [[1, 2], [3, 4]]}},
    "sum": {"answer_config": {"normalise": "sum", "scale": 1.0}},
    "empty_map": {"fusion_config": {"map": []}},
    "level_twice": {"fusion_config": {"map": [[1, 2], [3, 2]]}},
    "no_image": {},
}
VARIANT_GRADS = (
    "model.language_model.layers.0.mlp.down_proj.weight",
    "model.language_model.layers.1.cross_attn.k_proj.weight",
    "model.language_model.layers.3.cross_attn_attn_gate",
    "unet.enc.1.conv1.weight",
    "model.vision_model.class_embedding",
    "mdf.level.2.film.fc2.weight",
    "mdf.level.2.proj.weight",
    "mdf.block.1.gate",
)


def smooth_picture(gen, *shape):
    """A picture with structure at every level: noise [B,H,W,C], coarse and fine."""
    b, h, w, c = shape
    fine = torch.randn(b, c, h, w, generator=gen)
    coarse = torch.randn(b, c, h // 4, w // 4, generator=gen)
    coarse = torch.nn.functional.interpolate(coarse, size=(h, w), mode="bilinear")
    return (0.5 * fine + coarse).permute(0, 2, 3, 1).contiguous()


def make_case(gen):
    """The batch of two cases, float32; masks exist for the first one only."""
    target = (smooth_picture(gen, 2, 32, 32, 2) > 0.3).float()
    weight = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    return {
        "image_unet": smooth_picture(gen, 2, 32, 32, 3),
        "image_vision": smooth_picture(gen, 2, 28, 28, 3),
        "texts": [t.encode() for t in TEXTS],
        "labels": torch.tensor(TRUTH),
        "mask_target": target * weight[:, None, None, :],
        "mask_weight": weight,
    }


def doubled(case):
    """The case with float64 pictures and masks."""
    return {k: v.double() if torch.is_tensor(v) and v.is_floating_point() else v for k, v in case.items()}


def override(config, change):
    """A copy of the config with some keys of some sections replaced."""
    config = copy.deepcopy(config)
    for section, values in change.items():
        config[section].update(values)
    return config


def f32(x):
    """What goes into a file."""
    return x.detach().float().clone().contiguous()


def answers(out):
    """Scores, probabilities (temperature 1) and the parts of the loss."""
    got = {"scores": out["scores"], "probabilities": out["scores"].softmax(-1)}
    for part in ("total", "class", "lm", "mask"):
        if part in out:
            got["loss." + part] = out[part][None]
    return {k: f32(x) for k, x in got.items()}


def expected(model, case):
    """Everything that the base model's test compares."""
    out = ref.batch_losses(model, case)
    out["total"].backward()
    got = answers(out)
    skips, mid, states = out["seen"]
    for level, skip in skips.items():
        got[f"skip.{level}"] = f32(skip.permute(0, 2, 3, 1))
    got["mid"] = f32(mid.permute(0, 2, 3, 1))
    got["mask_logits"] = f32(out["mask_logits"])
    tower = model.model.vision_model
    got["image_states"] = f32(states.unflatten(1, (tower.tiles, tower.patches)))
    for i, (prompt, trace) in enumerate(zip(out["prompts"], out["traces"])):
        got[f"case.{i}.prompt"] = torch.tensor(prompt, dtype=torch.int32)
        for layer, h in enumerate(trace):
            got[f"case.{i}.layer.{layer}"] = f32(h)
    for name, p in model.named_parameters():
        got["grad." + name] = f32(p.grad)
    return got


def trained(model, case):
    """Ten AdamW steps on the same batch: losses before each step and after the last, and some weights."""
    step = ref.adamw(model, STEPS["lr"], (STEPS["beta1"], STEPS["beta2"]), STEPS["eps"], STEPS["weight_decay"])
    losses = []
    for _ in range(STEPS["steps"]):
        step.zero_grad()
        loss = ref.batch_losses(model, case)["total"]
        loss.backward()
        losses.append(loss.detach())
        step.step()
    losses.append(ref.batch_losses(model, case)["total"].detach())
    got = {"train.losses": f32(torch.stack(losses))}
    for name, p in model.named_parameters():
        if name in VARIANT_GRADS:
            got["train.final." + name] = f32(p)
    return got


def variant(name, change, base, case):
    """Own parameters (those the base model lacks or has in another shape), answers and a few gradients."""
    config = override(CONFIG, change)
    model = ref.MdfMllm(config)
    ref.randomise(model, SEED + 1)
    weights = dict(base.named_parameters())
    got = {}
    for key, p in model.named_parameters():
        if key in weights and weights[key].shape == p.shape:
            p.data.copy_(weights[key].data)
        else:
            got["param." + key] = f32(p)
    model.double()
    if name == "no_image":
        case = dict(case, image_unet=None, image_vision=None, mask_target=None, mask_weight=None)
    out = ref.batch_losses(model, case)
    out["total"].backward()
    got.update(answers(out))
    for key, p in model.named_parameters():
        if key in VARIANT_GRADS and p.grad is not None:
            got["grad." + key] = f32(p.grad)
    return {f"{name}.{key}": x for key, x in got.items()}


def write_json(path, value):
    """Indented, with a final newline."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def save(path, tensors):
    """A safetensors file that others may read."""
    save_file(tensors, path)
    path.chmod(0o644)


def save_case(out, case):
    """case.safetensors: texts as bytes; a case without a text has no such key."""
    tensors = {k: f32(case[k]) for k in ("image_unet", "image_vision", "mask_target", "mask_weight")}
    tensors["labels"] = case["labels"].to(torch.int32)
    for i, text in enumerate(case["texts"]):
        if text:
            tensors[f"case.{i}.text"] = torch.tensor(list(text), dtype=torch.uint8)
    save(out / "case.safetensors", tensors)


def float32_error(case, truth):
    """Prints how far a float32 run of the reference is from the float64 one, per kind of tensor."""
    model = ref.MdfMllm(CONFIG)
    ref.randomise(model, SEED)
    got = expected(model, case)
    worst = {}
    for key, x in truth.items():
        if key in got and x.is_floating_point():
            error = ((got[key] - x).abs().max() / x.abs().max().clamp_min(1e-30)).item()
            kind = key if key.startswith(("loss", "s", "p", "i", "m")) else key.split(".")[0]
            worst[kind] = max(worst.get(kind, (0, "")), (error, key))
    for kind, (error, key) in sorted(worst.items()):
        print(f"{kind:16} float32 vs float64, relative to the largest value: {error:.1e} ({key})")
    losses = trained(model, case)["train.losses"]
    print("train.losses     float32 vs float64:", (losses - truth["train.losses"]).abs().max().item())


def main():
    """Writes the files, then prints the yardstick for tolerances."""
    torch.set_num_threads(1)
    here = pathlib.Path(__file__).resolve().parent.parent
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "tests/golden/model"
    out.mkdir(parents=True, exist_ok=True)
    case = make_case(torch.Generator().manual_seed(SEED))
    base = ref.MdfMllm(CONFIG)
    ref.randomise(base, SEED)
    write_json(out / "config.json", CONFIG)
    write_json(out / "steps.json", STEPS)
    write_json(out / "variants.json", VARIANTS)
    save(out / "model.safetensors", {k: f32(p) for k, p in base.named_parameters()})
    save_case(out, case)
    model = copy.deepcopy(base).double()
    truth = expected(model, doubled(case))
    truth.update(trained(model, doubled(case)))
    save(out / "expect.safetensors", truth)
    others = {}
    for name, change in VARIANTS.items():
        others.update(variant(name, change, base, doubled(case)))
    save(out / "variants.safetensors", others)
    print("scores", truth["scores"].tolist())
    print("probabilities", truth["probabilities"].tolist())
    print({k: x.item() for k, x in truth.items() if k.startswith("loss.")})
    print("losses", truth["train.losses"].tolist())
    for name in VARIANTS:
        print(name, others[f"{name}.scores"].tolist()[0], others[f"{name}.loss.total"].item())
    float32_error(case, truth)


if __name__ == "__main__":
    main()
