"""Does transformers load what `mdf export --format hf` wrote, and are the weights the same numbers?

    mdf export --model tests/golden/hf/old_bf16 --format hf --dtype f32 --out /tmp/hf
    python tools/check_hf_export.py /tmp/hf tests/golden/hf/old_bf16

The second folder is the model that the export started from, in Hugging Face's layout too. Fails on a missing, unused
or different tensor.
"""

import sys

import torch
from transformers import AutoConfig, LlamaForCausalLM, MllamaForConditionalGeneration


def load(folder):
    kind = {"mllama": MllamaForConditionalGeneration, "llama": LlamaForCausalLM}[AutoConfig.from_pretrained(folder).model_type]
    model, info = kind.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[key]:
            sys.exit(f"{folder}: {key}: {info[key]}")
    return model.state_dict()


def main(exported, original):
    a, b = load(exported), load(original)
    if a.keys() != b.keys():
        sys.exit(f"other tensors: {a.keys() ^ b.keys()}")
    worst = max((float((a[k] - b[k]).abs().max()), k) for k in a)
    print(f"{len(a)} tensors, largest difference {worst[0]:g} ({worst[1]})")


main(*sys.argv[1:])
