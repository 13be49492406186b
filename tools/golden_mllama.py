#!/usr/bin/env python3
"""Golden cases of Llama 3.2 Vision: transformers' own class on tiny random configurations.

    python tools/golden_mllama.py [folder]      (default: tests/golden/mllama)

Needs a transformers whose vision tower hands out the states *before* the layers of
intermediate_layers_indices, as Meta's code and transformers 4.45 to 4.53 do; later versions hand out the states after
them, and 4.54 to 4.55 five times the last one. The script checks that and refuses others.

Every number is computed by the unchanged class in float64: a stand-in for the name `torch` in its module turns
its float32 casts (softmax, RMSNorm, RoPE, logits) into float64. The same run in plain float32 is the yardstick for
tolerances that the script prints.
"""

import contextlib
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import MllamaConfig, MllamaForConditionalGeneration
from transformers.models.mllama import modeling_mllama as module
from transformers.models.mllama.processing_mllama import (
    convert_sparse_cross_attention_mask_to_dense as dense_mask,
)
from transformers.models.mllama.processing_mllama import get_cross_attention_token_mask as token_ranges

SEED = 20250917
PAD = 4
GRIDS = [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]]
SCALING = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
           "original_max_position_embeddings": 64}


def config(text=None, vision=None, zero_slots=True):
    """A tiny model; every size can be changed."""
    return {
        "text": {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4,
                 "num_key_value_heads": 2, "intermediate_size": 48, "cross_attention_layers": [1, 3],
                 "rope_theta": 10000.0, "rope_scaling": SCALING, "rms_norm_eps": 1e-5,
                 "max_position_embeddings": 256, "bos_token_id": 0, "pad_token_id": PAD, "eos_token_id": [1, 9],
                 **(text or {})},
        "vision": {"hidden_size": 16, "num_hidden_layers": 3, "num_global_layers": 1, "attention_heads": 2,
                   "intermediate_size": 32, "image_size": 14, "patch_size": 7, "max_num_tiles": 4,
                   "intermediate_layers_indices": [0, 2], "norm_eps": 1e-5, **(vision or {})},
        "zero_slots": zero_slots,
    }


IMG = -1  # stands for the image token, whose id is vocab_size


def sample(text, *ids):
    """text: token ids with IMG where pictures stand; ids: their aspect ratio ids."""
    assert text.count(IMG) == len(ids)
    return {"text": text, "ids": list(ids)}


def words(n, seed):
    """n token ids, none of them special."""
    gen = torch.Generator().manual_seed(1000 + seed)
    return torch.randint(10, 40, (n,), generator=gen).tolist()


# Every case: samples; how transformers runs them ("alone": one by one; "batch", "left", "right": together, padded
# on that side); what is kept of the gradient of the loss ("full", "probe" or none).
MODELS = {
    "tiles": (config(), {
        "one": dict(samples=[sample([0] + words(2, 1) + [IMG] + words(5, 2), 1)], grads="full"),
        "wide": dict(samples=[sample([IMG, 0] + words(5, 3), 2)], grads="probe"),
        "high": dict(samples=[sample([IMG, 0] + words(5, 3), 5)], grads="probe"),
        "three": dict(samples=[sample([0, IMG] + words(5, 4), 3)], grads="probe"),
        "square": dict(samples=[sample(words(3, 5) + [IMG] + words(4, 6), 6)], grads="probe"),
        "tower": dict(samples=[sample([0] + words(1, 7) + [IMG] + words(4, 8), 8)]),
    }),
    # rows of unused slots are not zero, as after fine-tuning: no two unused tiles are equal
    "slots": (config(vision={"image_size": 21, "num_global_layers": 2, "intermediate_layers_indices": [1]},
                     text={"num_hidden_layers": 3, "cross_attention_layers": [0, 2], "num_key_value_heads": 4,
                           "hidden_size": 24}, zero_slots=False), {
        "one": dict(samples=[sample([0] + words(2, 11) + [IMG] + words(5, 12), 1)], grads="full"),
        "three": dict(samples=[sample([0, IMG] + words(5, 13), 7)], grads="probe"),
    }),
    "pictures": (config(text={"num_attention_heads": 2, "num_key_value_heads": 1, "rope_scaling": {"rope_type": "default"}},
                        vision={"num_hidden_layers": 2, "intermediate_layers_indices": [0, 1]}), {
        "two": dict(samples=[sample([0] + words(2, 21) + [IMG] + words(3, 22) + [IMG] + words(4, 23), 2, 1)],
                    grads="probe"),
        "adjacent": dict(samples=[sample([0, IMG, IMG] + words(3, 24) + [IMG, IMG] + words(3, 25), 1, 5, 2, 1)],
                         grads="probe"),
        "mixed": dict(samples=[sample([0] + words(3, 26) + [IMG] + words(2, 27), 1),
                               sample([IMG, 0, IMG] + words(4, 28), 6, 2),
                               sample([0] + words(4, 29)),
                               sample([0, IMG, IMG, IMG] + words(2, 30), 3, 1, 8)]),
        # no text before the pictures: the padding picture of the first sample can't be seen
        "batch": dict(samples=[sample([IMG, 0] + words(4, 31), 5), sample([IMG, 0, IMG] + words(3, 32), 1, 2)],
                      run="batch"),
        "text": dict(samples=[sample([0] + words(7, 33))], grads="probe"),
    }),
    "padding": (config(text={"num_key_value_heads": 1}, vision={"num_global_layers": 0, "hidden_size": 8}), {
        "left": dict(samples=[sample([0] + words(2, 41) + [IMG] + words(2, 42), 2),
                              sample([0] + words(4, 43) + [IMG] + words(5, 44), 1)], run="left"),
        "right": dict(samples=[sample([0] + words(2, 41) + [IMG] + words(2, 42), 2),
                               sample([0] + words(4, 43) + [IMG] + words(5, 44), 1)], run="right"),
    }),
    "cached": (config(text={"num_hidden_layers": 5, "cross_attention_layers": [1, 4]}), {
        "picture": dict(samples=[sample([0] + words(3, 51) + [IMG] + words(4, 52), 5)], generate=12),
        "two": dict(samples=[sample([0, IMG] + words(3, 53) + [IMG] + words(2, 54), 1, 3)], generate=12),
        "text": dict(samples=[sample([0] + words(6, 55))], generate=12),
    }),
    # the states are joined in the order of the list, and one may come twice
    "order": (config(vision={"hidden_size": 8, "num_hidden_layers": 4, "intermediate_layers_indices": [3, 0, 3, 1]},
                     text={"hidden_size": 16, "num_hidden_layers": 2, "cross_attention_layers": [1]}), {
        "wide": dict(samples=[sample([0] + words(2, 71) + [IMG] + words(3, 72), 2)], grads="full"),
    }),
    "half": (config(vision={"image_size": 21}), {
        "picture": dict(samples=[sample([0] + words(3, 61) + [IMG] + words(6, 62), 2)], half=True),
        "text": dict(samples=[sample([0] + words(9, 63))], half=True),
    }),
}


class InDouble:
    """The name `torch` for transformers' module, with float64 where it says float32."""

    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


@contextlib.contextmanager
def in_double():
    """Inside, the class computes in float64 throughout."""
    plain = torch.Tensor.float
    module.torch = InDouble()
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        module.torch = torch
        torch.Tensor.float = plain


def make(spec, dtype):
    """The model with parameters that leave nothing switched off; the numbers have bfloat16's precision."""
    vision = dict(spec["vision"])
    k = len(vision["intermediate_layers_indices"])
    heads = vision.pop("attention_heads")
    conf = MllamaConfig(
        text_config=dict(spec["text"], tie_word_embeddings=False),
        vision_config=dict(vision, num_attention_heads=heads, vision_output_dim=vision["hidden_size"] * (1 + k),
                           supported_aspect_ratios=GRIDS),
        image_token_index=spec["text"]["vocab_size"],
    )
    conf._attn_implementation = "eager"
    model = MllamaForConditionalGeneration(conf).eval()
    gen = torch.Generator().manual_seed(SEED)
    for name, p in sorted(model.named_parameters()):
        noise = torch.randn(p.shape, generator=gen)
        if name.endswith("gate") or "gate_attn" in name or "gate_ffn" in name:
            sign = 1 if torch.rand(1, generator=gen) < 0.6 else -1
            noise = sign * (0.3 + 0.6 * torch.rand(p.shape, generator=gen))
        elif p.dim() == 1 and "norm" in name and name.endswith("weight"):
            noise = 1 + 0.25 * noise
        elif p.dim() == 1 or "embed" in name:
            noise = 0.5 * noise
        else:
            noise = noise * (p[0].numel()) ** -0.5 * 1.3
        p.data.copy_(noise.bfloat16().float())
    if spec["zero_slots"]:
        clear_unused_slots(model, spec["vision"]["max_num_tiles"])
    return model.to(dtype)


def clear_unused_slots(model, tiles):
    """Rows of slots that an aspect ratio does not use are zero in the released models."""
    tower = model.vision_model
    for table in (tower.pre_tile_positional_embedding.embedding, tower.post_tile_positional_embedding.embedding,
                  tower.gated_positional_embedding.tile_embedding):
        rows = table.weight.data.view(len(GRIDS) + 1, tiles, -1)
        rows[0] = 0
        for i, (a, b) in enumerate(GRIDS):
            rows[i + 1, a * b:] = 0


def new_name(name):
    """Parameter names of transformers >= 4.52 (docs/MODEL.md)."""
    for old, new in (("language_model.model.", "model.language_model."), ("language_model.lm_head", "lm_head"),
                     ("vision_model.", "model.vision_model."),
                     ("multi_modal_projector.", "model.multi_modal_projector.")):
        if name.startswith(old):
            return new + name[len(old):]
    return name


def pixels(spec, s, key):
    """[pictures,T,3,t,t]; unused slots are zero."""
    side, tiles = spec["vision"]["image_size"], spec["vision"]["max_num_tiles"]
    gen = torch.Generator().manual_seed(key)
    x = torch.zeros(len(s["ids"]), tiles, 3, side, side)
    for i, ratio in enumerate(s["ids"]):
        used = GRIDS[ratio - 1][0] * GRIDS[ratio - 1][1]
        x[i, :used] = torch.randn(used, 3, side, side, generator=gen).bfloat16().float()
    return x


def inputs(spec, samples, keys, side):
    """What the processor would make of these samples, padded on one side."""
    tiles, image = spec["vision"]["max_num_tiles"], spec["text"]["vocab_size"]
    length = max(len(s["text"]) for s in samples)
    most = max(len(s["ids"]) for s in samples)
    rows, mask = [], []
    for s in samples:
        text = [image if t == IMG else t for t in s["text"]]
        pad, ones = [PAD] * (length - len(text)), [1] * len(text)
        rows.append(pad + text if side == "left" else text + pad)
        mask.append([0] * len(pad) + ones if side == "left" else ones + [0] * len(pad))
    mask = torch.tensor(mask)
    got = {"input_ids": torch.tensor(rows), "attention_mask": mask,
           "position_ids": (mask.cumsum(-1) - 1).masked_fill(mask == 0, 1)}
    if most == 0:
        return got
    counts = [[GRIDS[r - 1][0] * GRIDS[r - 1][1] for r in s["ids"]] for s in samples]
    side_px = spec["vision"]["image_size"]
    values = torch.zeros(len(samples), most, tiles, 3, side_px, side_px)
    ids = torch.zeros(len(samples), most, dtype=torch.long)
    tile_mask = torch.zeros(len(samples), most, tiles, dtype=torch.long)
    tile_mask[:, :, 0] = 1
    for b, s in enumerate(samples):
        values[b, : len(s["ids"])] = pixels(spec, s, keys[b])
        for i, n in enumerate(counts[b]):
            ids[b, i] = s["ids"][i]
            tile_mask[b, i, :n] = 1
    ranges = [token_ranges(row, image) for row in rows]
    got.update(pixel_values=values, aspect_ratio_ids=ids, aspect_ratio_mask=tile_mask,
               cross_attention_mask=torch.tensor(dense_mask(ranges, counts, tiles, length)))
    return got


@contextlib.contextmanager
def watching(model):
    """Collects the states that the tests compare."""
    seen, hooks = {}, []

    def keep(key, pick):
        def hook(_module, args, out):
            seen[key] = pick(args, out)
        return hook

    def keep_input(key):
        def hook(_module, args, kwargs):
            seen[key] = args[0] if args else kwargs["hidden_state"]
        return hook

    tower = model.vision_model
    hooks.append(tower.register_forward_hook(keep("features", lambda _, out: out[0])))
    hooks.append(model.multi_modal_projector.register_forward_hook(keep("tokens", lambda _, out: out)))
    for i, layer in enumerate(model.language_model.model.layers):
        hooks.append(layer.register_forward_hook(keep(f"layer.{i}", lambda _, out: out[0])))
    for i in model.config.vision_config.intermediate_layers_indices:
        layer = tower.transformer.layers[i]
        hooks.append(layer.register_forward_pre_hook(keep_input(f"before.{i}"), with_kwargs=True))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def check_features(model, seen):
    """Refuses a transformers whose intermediate features are not the states before their layers."""
    conf = model.config.vision_config
    k, width = len(conf.intermediate_layers_indices), conf.hidden_size
    features = seen["features"].flatten(0, 2)
    for i, layer in enumerate(conf.intermediate_layers_indices):
        before = seen[f"before.{layer}"]
        before = before.reshape(features.shape[0], -1, width)[:, : features.shape[1]]
        if not torch.equal(features[..., width + i:: k], before):
            raise SystemExit(f"transformers {transformers.__version__}: intermediate feature {i} is not the state "
                             f"before layer {layer}; take 4.49.0")


def run(model, spec, case, which, dtype):
    """One forward of some samples. -> per sample what was seen, and the loss."""
    samples = [case["samples"][i] for i in which]
    side = "left" if case.get("run") == "left" else "right"
    given = inputs(spec, samples, [7000 + 10 * i for i in which], side)
    for key in ("pixel_values",):
        if key in given:
            given[key] = given[key].to(dtype)
    labels = given["input_ids"].clone()
    labels[(given["attention_mask"] == 0) | (labels == spec["text"]["vocab_size"])] = -100
    labels[:, :2] = -100
    with watching(model) as seen:
        out = model(**given, labels=labels, use_cache=False)
    if "pixel_values" in given and model.config.vision_config.intermediate_layers_indices:
        check_features(model, seen)
    got = []
    for b, s in enumerate(samples):
        n, length = len(s["text"]), labels.shape[1]
        rows = slice(length - n, length) if side == "left" else slice(0, n)
        one = {"logits": out.logits[b, rows], "labels": labels[b, rows]}
        for key, x in seen.items():
            if key.startswith("layer."):
                one[key] = x[b, rows]
            elif key == "features":
                one[key] = x[b, : len(s["ids"])]
            elif key == "tokens":
                one[key] = x.view(len(samples), -1, *x.shape[-3:])[b, : len(s["ids"])]
        got.append(one)
    return got, out.loss


def probe(grad):
    """Norm, sum and eight numbers of a gradient; the C side takes the same places."""
    flat = grad.flatten().double()
    places = [(i * 7919 + 13) % flat.numel() for i in range(8)]
    return torch.cat([flat.norm()[None], flat.sum()[None], flat[places]])


def f32(x):
    """What goes into a file."""
    return x.detach().float().clone().contiguous()


def evaluate(model, spec, case, dtype):
    """Everything of a case, flat: keys <sample>.<what>, loss, grad.<name>, probe.<name>."""
    together = case.get("run") in ("batch", "left", "right")
    count = len(case["samples"])
    got = {}
    groups = [list(range(count))] if together else [[i] for i in range(count)]
    for which in groups:
        model.zero_grad(set_to_none=True)
        seen, loss = run(model, spec, case, which, dtype)
        for i, one in zip(which, seen):
            got.update({f"{i}.{key}": x.detach().clone() for key, x in one.items()})
        if "grads" in case:
            loss.backward()
            got["loss"] = loss.detach()[None]
            for name, p in model.named_parameters():
                grad = torch.zeros_like(p) if p.grad is None else p.grad
                full = case["grads"] == "full"
                got[("grad." if full else "probe.") + new_name(name)] = grad.clone() if full else probe(grad)
    return got


def given_tensors(spec, case):
    """Tokens, picture ids and tiles of a case, sample by sample."""
    got = {}
    for i, s in enumerate(case["samples"]):
        image = spec["text"]["vocab_size"]
        got[f"{i}.text"] = torch.tensor([image if t == IMG else t for t in s["text"]], dtype=torch.int32)
        if s["ids"]:
            got[f"{i}.ratio"] = torch.tensor(s["ids"], dtype=torch.int32)
            x = pixels(spec, s, 7000 + 10 * i)
            used = [x[j, : GRIDS[r - 1][0] * GRIDS[r - 1][1]] for j, r in enumerate(s["ids"])]
            got[f"{i}.tiles"] = torch.cat(used).permute(0, 2, 3, 1).contiguous().bfloat16()
    return got


def generated(model, spec, case):
    """Greedy tokens in float32, with and without cache; both must agree."""
    given = inputs(spec, case["samples"], [7000], "right")
    given.pop("position_ids")
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = PAD
    tokens = []
    for cache in (True, False):
        out = model.generate(**given, do_sample=False, max_new_tokens=case["generate"], use_cache=cache)
        tokens.append(out[0, given["input_ids"].shape[1]:])
    assert torch.equal(*tokens), "transformers disagrees with itself"
    return tokens[0].to(torch.int32)


def errors(got, truth):
    """Largest difference relative to the tensor's largest number, by kind of tensor."""
    worst = {}
    for key, x in truth.items():
        if not x.is_floating_point():
            continue
        kind = key.split(".")[0] if key[0] in "gpl" else key.split(".")[1]
        e = ((got[key].double() - x.double()).abs().max() / x.double().abs().max().clamp_min(1e-30)).item()
        worst[kind] = max(worst.get(kind, (0.0, "")), (e, key))
    return worst


def write_config(path, spec):
    """The same sizes for the C side: a model without fusion and masks."""
    text = dict(spec["text"])
    if text["rope_scaling"]["rope_type"] == "default":
        text.pop("rope_scaling")
    conf = {"model_type": "mllama", "image_token_index": text["vocab_size"], "tokenizer": "bpe",
            "text_config": text, "vision_config": spec["vision"],
            "fusion_config": {"map": []}}
    path.write_text(json.dumps(conf, indent=2) + "\n", encoding="utf-8")


def save(path, tensors):
    """A safetensors file that others may read."""
    save_file(tensors, path)
    path.chmod(0o644)


def one_model(out, name, spec, cases):
    """Writes <name>.json, <name>.model.safetensors, <name>.safetensors; prints the yardstick."""
    with in_double():
        model = make(spec, torch.float64)
    plain = make(spec, torch.float32)
    write_config(out / f"{name}.json", spec)
    weights = {new_name(key): p.detach().bfloat16().contiguous() for key, p in plain.named_parameters()}
    save(out / f"{name}.model.safetensors", weights)
    expect, worst = {}, {}
    for key, case in cases.items():
        with in_double():
            truth = evaluate(model, spec, case, torch.float64)
        for kind, error in errors(evaluate(plain, spec, case, torch.float32), truth).items():
            worst[kind] = max(worst.get(kind, (0.0, "")), (error[0], f"{key}: {error[1]}"))
        wanted = {**given_tensors(spec, case), **truth}
        if "generate" in case:
            wanted["tokens"] = generated(plain, spec, case)
        if "half" in case:
            half = evaluate(make(spec, torch.bfloat16), spec, case, torch.bfloat16)
            wanted["half"] = half["0.logits"]
            wanted = {k: x for k, x in wanted.items() if "layer" not in k}
            e = (half["0.logits"].double() - truth["0.logits"]).abs().max() / truth["0.logits"].abs().max()
            print(f"  {key}: bfloat16 logits are off by {e.item():.3g} of the largest")
        for what, x in wanted.items():
            keep_type = not x.is_floating_point() or x.dtype == torch.bfloat16
            x = x.to(torch.int32) if x.dtype == torch.int64 else x
            expect[f"{key}.{what}"] = x.detach().clone().contiguous() if keep_type else f32(x)
    save(out / f"{name}.safetensors", expect)
    for kind, (error, key) in sorted(worst.items()):
        print(f"  {kind:10} float32 vs float64, relative to the largest value: {error:.1e} ({key})")


def main():
    """All models."""
    torch.set_num_threads(1)
    here = pathlib.Path(__file__).resolve().parent.parent
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "tests/golden/mllama"
    out.mkdir(parents=True, exist_ok=True)
    for name, (spec, cases) in MODELS.items():
        print(name)
        one_model(out, name, spec, cases)


if __name__ == "__main__":
    main()
