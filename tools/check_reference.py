"""Checks tools/reference.py against Hugging Face's MllamaForConditionalGeneration on a random tiny
model with every gate open: vision features, projected states and logits, in float32 and float64.

    python tools/check_reference.py

The installed transformers is examined first. Releases differ in which states they take for
`intermediate_layers_indices`. Meta's code and transformers 4.49.0 take the state BEFORE layer i, which is what
docs/MODEL.md means; 5.23.0 takes the state AFTER layer i (both seen with this script). Some releases between took
the last state for all, a known bug. For the "after" kind the check hands over indices that are one lower, so that the
same states are compared.
"""

import sys

import torch
import transformers
from transformers import MllamaConfig, MllamaForConditionalGeneration

import reference

TEXT = dict(
    vocab_size=264, hidden_size=64, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
    intermediate_size=96, cross_attention_layers=[1, 3], rope_theta=10000.0, rms_norm_eps=1e-5,
    max_position_embeddings=256, tie_word_embeddings=False,
)
SCALING = dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=64,
)
VISION = dict(
    hidden_size=32, num_hidden_layers=4, num_global_layers=2, attention_heads=4, intermediate_size=48,
    image_size=56, patch_size=14, max_num_tiles=4, intermediate_layers_indices=[1, 3, 2], norm_eps=1e-5,
)


def our_config():
    """A config of ours with the same text and vision parts."""
    text = dict(TEXT, rope_scaling=SCALING)
    return {
        "image_token_index": 264, "text_config": text, "vision_config": dict(VISION),
        "unet_config": {"base": 4, "image_size": 32, "norm_groups": 2, "masks": []},
        "fusion_config": {"map": [], "grid": 2, "cells": 2, "attend": "branch",
                          "film_direction": "none", "film_hidden": 8},
    }


def their_model(indices, dtype):
    """A random MllamaForConditionalGeneration with eager attention."""
    vision = dict(VISION, intermediate_layers_indices=indices)
    vision["vision_output_dim"] = VISION["hidden_size"] * (1 + len(indices))
    text = dict(TEXT, rope_scaling=dict(SCALING), pad_token_id=260, bos_token_id=256, eos_token_id=259)
    if int(transformers.__version__.split(".")[0]) >= 5:
        text["rope_parameters"] = dict(text.pop("rope_scaling"), rope_theta=text.pop("rope_theta"))
    config = MllamaConfig(text_config=text, vision_config=vision, image_token_index=264)
    config._attn_implementation = "eager"
    config.text_config._attn_implementation = "eager"
    config.vision_config._attn_implementation = "eager"
    return MllamaForConditionalGeneration(config).to(dtype).eval()


def newer_name(name):
    """Parameter names before transformers 4.52 -> today's."""
    for old, new in (("language_model.model.", "model.language_model."), ("language_model.lm_head", "lm_head"),
                     ("vision_model.", "model.vision_model."),
                     ("multi_modal_projector.", "model.multi_modal_projector.")):
        if name.startswith(old):
            return new + name[len(old):]
    return name


def vision_part(model):
    """Their vision tower, wherever this release keeps it."""
    return model.model.vision_model if hasattr(model, "model") else model.vision_model


def share_weights(ours, theirs):
    """Copies our numbers into their model; every one of their parameters must have a counterpart."""
    mine = dict(ours.named_parameters())
    for name, p in theirs.named_parameters():
        p.data.copy_(mine.pop(newer_name(name)).data)
    left = [n for n in mine if not n.startswith(("unet.", "mdf."))]
    assert not left, f"parameters without a counterpart: {left}"


def taken_states(theirs, inputs):
    """Which states their features contain: 'before', 'after' or 'last' of the layers named."""
    tower, before, after = vision_part(theirs), {}, {}
    hooks = []
    for i, layer in enumerate(tower.transformer.layers):
        hooks.append(layer.register_forward_hook(
            lambda m, args, kwargs, out, i=i: (
                before.__setitem__(i, args[0] if args else next(iter(kwargs.values()))),
                after.__setitem__(i, out[0] if isinstance(out, tuple) else out),
            ) and None, with_kwargs=True))
    features = tower(**inputs)[0]
    for hook in hooks:
        hook.remove()
    width, k = VISION["hidden_size"], len(VISION["intermediate_layers_indices"])
    first = features[0, 0, 0, 0, width:].view(width, k)  # token 0 of tile 0
    found = []
    for column, i in enumerate(VISION["intermediate_layers_indices"]):
        for kind, states in (("before", before), ("after", after)):
            if torch.equal(first[:, column], states[i][0, 0]):
                found.append(kind)
                break
        else:
            found.append("last")
    assert len(set(found)) == 1, found
    return found[0]


def pictures(dtype, gen):
    """Four pictures of 1, 2, 3 and 4 tiles: pixels [4,1,4,3,56,56], ids [4,1], tile mask [4,1,4]."""
    ids = torch.tensor([1, 2, 7, 6])
    counts = torch.tensor([1, 2, 3, 4])
    mask = (torch.arange(4)[None] < counts[:, None]).long()
    pixels = torch.randn(4, 1, 4, 3, 56, 56, generator=gen).to(dtype) * mask[:, None, :, None, None, None]
    return {"pixel_values": pixels, "aspect_ratio_ids": ids[:, None], "aspect_ratio_mask": mask[:, None]}


def our_forward(model, ids, images):
    """-> (features, projected states, logits) of our tower and text model."""
    tower = model.model.vision_model
    features = tower(images["pixel_values"][:, 0], images["aspect_ratio_ids"][:, 0])
    states = model.model.multi_modal_projector(features).flatten(1, 2)
    after = (ids == 264).long().cumsum(1)[:, :, None]
    real = images["aspect_ratio_mask"][:, 0].repeat_interleave(tower.patches, dim=1)
    keys = reference.ImageKeys(states, after * real[:, None])
    bias = reference.causal_bias(ids.shape[1], states.dtype)
    positions = torch.arange(ids.shape[1]).expand_as(ids)
    h = model.model.language_model(ids, positions, bias, keys)
    return features, states, model.lm_head(h)


def their_forward(model, ids, images):
    """The same from Hugging Face's model."""
    after = (ids == 264).long().cumsum(1)[:, :, None, None]
    mask = after * images["aspect_ratio_mask"][:, None]
    out = model(input_ids=ids, cross_attention_mask=mask, attention_mask=torch.ones_like(ids), **images)
    features = vision_part(model)(**images)[0][:, 0]
    return features, out.logits


def compare(dtype, seed):
    """Prints the largest differences of one run; returns them."""
    torch.manual_seed(seed)
    gen = torch.Generator().manual_seed(seed)
    config = our_config()
    ours = reference.MdfMllm(config)
    reference.randomise(ours, seed)
    ours.to(dtype)
    indices = VISION["intermediate_layers_indices"]
    theirs = their_model(indices, dtype)
    share_weights(ours, theirs)
    images = pictures(dtype, gen)
    kind = taken_states(theirs, images)
    if kind == "last":
        sys.exit(f"transformers {transformers.__version__} has the intermediate feature bug; use another release")
    if kind == "after":
        theirs = their_model([i - 1 for i in indices], dtype)
        share_weights(ours, theirs)
    ids = torch.randint(0, 256, (4, 23), generator=gen)
    ids[:, 5] = 264
    features, _, logits = our_forward(ours, ids, images)
    their_features, their_logits = their_forward(theirs, ids, images)
    text_ours = ours.lm_head(ours.model.language_model(
        ids, torch.arange(23).expand_as(ids), reference.causal_bias(23, dtype)))
    text_theirs = theirs(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    d = {"features": (features - their_features), "logits": (logits - their_logits),
         "logits without picture": (text_ours - text_theirs)}
    size = {"features": their_features, "logits": their_logits, "logits without picture": text_theirs}
    worst = {}
    for key, diff in d.items():
        worst[key] = (diff.abs().max() / size[key].abs().max()).item()
        print(f"{str(dtype):14} {key:24} max |difference| {diff.abs().max():.2e}, relative to the largest "
              f"value {worst[key]:.2e}")
    return kind, worst


def main():
    """float32 must agree to rounding; float64 is limited by float32 islands in their code (norm, softmax, rope)."""
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}")
    limits = {torch.float32: 1e-5, torch.float64: 1e-5}
    bad = False
    for dtype, limit in limits.items():
        kind, worst = compare(dtype, 7)
        bad = bad or max(worst.values()) > limit
    print(f"this transformers takes the states {kind} the layers named")
    sys.exit("reference and transformers disagree" if bad else 0)


if __name__ == "__main__":
    with torch.no_grad():
        main()
