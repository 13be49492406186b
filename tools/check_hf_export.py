#!/usr/bin/env python3
"""Does transformers load what `mdf export --format hf` writes, and does it compute the same?

    python tools/check_hf_export.py build [FOLDER...]

Exports model folders (by default the golden ones of tests/golden, and an MDF model of random weights, in blocks of
eight bits) with the build's `mdf`, loads them as MllamaForConditionalGeneration or LlamaForCausalLM, wants every
tensor used and none missing, and compares the logits of texts and pictures with those that the
build's `mdf_logits` computes from the exported folder and from the one before. Prints a line per export; fails on a
key, and on a difference above 2e-5 of the largest logit (float32 transformers is 1e-6 off its own float64).

transformers 4.54 and later feed other vision features to the text model than Meta's code, transformers 4.45 to 4.53 and
this project (tests/golden/mllama/README.md). What they compute as they are is printed ("as it is"); compared is what they
compute when their tower hands out the states before the layers.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import types

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, LlamaForCausalLM, MllamaForConditionalGeneration
from transformers.models.mllama.processing_mllama import (
    convert_sparse_cross_attention_mask_to_dense as dense_mask,
)
from transformers.models.mllama.processing_mllama import get_cross_attention_token_mask as token_ranges

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "tests", "golden")
TOLERANCE = 2e-5
VERSION = tuple(int(x) for x in transformers.__version__.split(".")[:2])


def sources(mdf, work):
    """The default folders."""
    for name in ("old_bf16", "old_f32_shards", "new_f16_shards", "llama_f32"):
        yield os.path.join(GOLDEN, "hf", name)
    for name in ("tiles", "slots", "pictures", "padding", "cached", "order"):
        folder = os.path.join(work, name)
        os.mkdir(folder)
        shutil.copy(os.path.join(GOLDEN, "mllama", name + ".json"), os.path.join(folder, "config.json"))
        shutil.copy(os.path.join(GOLDEN, "mllama", name + ".model.safetensors"), os.path.join(folder, "model.safetensors"))
        yield folder
    yield tied(os.path.join(work, "tiles"), os.path.join(work, "tied"))
    folder = os.path.join(work, "tiny_q8_0")
    subprocess.run([mdf, "init", "-q", "--config", "tiny", "--quantize", "q8_0", "--out", folder], check=True,
                   stdout=subprocess.DEVNULL)
    yield folder


def tied(source, folder):
    """The same model whose head is the embedding table."""
    shutil.copytree(source, folder)
    weights = load_file(os.path.join(source, "model.safetensors"))
    weights.pop("lm_head.weight")
    save_file(weights, os.path.join(folder, "model.safetensors"))
    with open(os.path.join(source, "config.json")) as f:
        config = json.load(f)
    config["text_config"]["tie_word_embeddings"] = True
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    return folder


def load(folder):
    kind = {"mllama": MllamaForConditionalGeneration, "llama": LlamaForCausalLM}[AutoConfig.from_pretrained(folder).model_type]
    dtype = {"dtype" if VERSION >= (4, 56) else "torch_dtype": torch.float32}
    model, info = kind.from_pretrained(folder, output_loading_info=True, attn_implementation="eager", **dtype)
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        if info.get(key):
            sys.exit(f"{folder}: {key}: {info[key]}")
    return model.float().eval()


def hand_out_inputs(model):
    """The tower's intermediate features become the states before its layers."""
    encoder = model.model.vision_model.transformer
    seen = []

    def note(_, args, kwargs):
        seen.append(args[0] if args else kwargs.get("hidden_states", kwargs.get("hidden_state")))

    for layer in encoder.layers:
        layer.register_forward_pre_hook(note, with_kwargs=True)
    plain = encoder.forward

    def forward(*args, **kwargs):
        seen.clear()
        out = plain(*args, **kwargs)
        return types.SimpleNamespace(last_hidden_state=out.last_hidden_state, hidden_states=tuple(seen))

    encoder.forward = forward


def cases(config):
    """(text, aspect ratio ids); the text's image token stands for itself."""
    words = lambda n, seed: torch.randint(5, 30, (n,), generator=torch.Generator().manual_seed(seed)).tolist()
    yield "text", words(9, 1), []
    if hasattr(config, "vision_config"):
        image = config.image_token_index
        yield "one tile", words(2, 2) + [image] + words(6, 3), [1]
        yield "two tiles", [image] + words(5, 4), [2]
        yield "two pictures", words(1, 5) + [image] + words(3, 6) + [image] + words(4, 7), [6, 1]


def make_inputs(config, text, ids, path):
    """What transformers takes; what mdf_logits reads goes to path."""
    ours = {"text": torch.tensor(text, dtype=torch.int32)}
    theirs = {"input_ids": torch.tensor([text])}
    if ids:
        v = config.vision_config
        used = [a * b for a, b in (v.supported_aspect_ratios[i - 1] for i in ids)]
        x = torch.zeros(1, len(ids), v.max_num_tiles, 3, v.image_size, v.image_size)
        mask = torch.zeros(1, len(ids), v.max_num_tiles, dtype=torch.long)
        generator = torch.Generator().manual_seed(len(text))
        for i, n in enumerate(used):
            x[0, i, :n] = torch.randn(n, 3, v.image_size, v.image_size, generator=generator)
            mask[0, i, :n] = 1
        dense = dense_mask([token_ranges(text, config.image_token_index)], num_tiles=[used],
                           max_num_tiles=v.max_num_tiles, length=len(text))
        theirs.update(pixel_values=x, aspect_ratio_ids=torch.tensor([ids]), aspect_ratio_mask=mask,
                      cross_attention_mask=torch.as_tensor(dense))
        ours["ratio"] = torch.tensor(ids, dtype=torch.int32)
        ours["tiles"] = torch.cat([x[0, i, :n] for i, n in enumerate(used)]).permute(0, 2, 3, 1).contiguous()
    save_file(ours, path)
    return theirs


def our_logits(build, folder, case, out):
    subprocess.run([os.path.join(build, "tests", "mdf_logits"), folder, case, out], check=True)
    return load_file(out)["logits"]


def difference(a, b):
    return float((a - b).abs().max() / b.abs().max())


def is_plain(folder):
    """Neither U-Net nor fusion: the export is the whole model."""
    with open(os.path.join(folder, "config.json")) as f:
        c = json.load(f)
    return not c.get("unet_config") and not c.get("fusion_config", {}).get("map")


def check(build, source, dtype, work):
    out = os.path.join(work, "out")
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([os.path.join(build, "mdf"), "export", "-q", "--model", source, "--format", "hf", "--dtype", dtype, "--out", out],
                   check=True, stdout=subprocess.DEVNULL)
    model = load(out)
    worst = as_it_is = before = 0.0
    runs = []
    for name, text, ids in cases(model.config):
        case = os.path.join(work, f"{len(runs)}.safetensors")
        runs.append((name, make_inputs(model.config, text, ids, case), case))
    with torch.no_grad():
        plain = [model(**theirs, use_cache=False).logits[0] for _, theirs, _ in runs]
        if hasattr(model.config, "vision_config") and VERSION >= (4, 54):
            hand_out_inputs(model)
        for (name, theirs, case), unchanged in zip(runs, plain):
            want = model(**theirs, use_cache=False).logits[0]
            got = our_logits(build, out, case, os.path.join(work, "logits"))
            worst = max(worst, difference(got, want))
            as_it_is = max(as_it_is, difference(got, unchanged))
            if dtype == "f32" and is_plain(source):
                before = max(before, difference(our_logits(build, source, case, os.path.join(work, "logits")), want))
    print(f"{os.path.basename(source)} {dtype}: {len(model.state_dict())} tensors, {len(runs)} cases, largest difference "
          f"{max(worst, before):.1e}, as it is {as_it_is:.1e}")
    if not max(worst, before) <= TOLERANCE:
        sys.exit(f"{source}: more than {TOLERANCE:g} of the largest logit")


def main(build, *folders):
    print(f"transformers {transformers.__version__}, PyTorch {torch.__version__}")
    with tempfile.TemporaryDirectory() as work:
        for source in folders or sources(os.path.join(build, "mdf"), work):
            for dtype in ("f32", "bf16"):
                check(build, source, dtype, work)


if len(sys.argv) < 2:
    sys.exit(__doc__)
main(*sys.argv[1:])
