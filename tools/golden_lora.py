"""Adapters saved and merged by PEFT, and what Python's re says about module names.

    python tools/golden_lora.py tests/golden/lora      # peft 0.21.2, torch 2.13.0, transformers 4.49.0

base.safetensors: matrices of a random Llama of two layers. NAME/adapter_*: rank_pattern and alpha_pattern with regular
expressions, keys sorted as PEFT saves them or in an order of their own (the first that matches counts). expect_NAME.safetensors:
the matrices after PeftModel.from_pretrained() and merge_and_unload(). matches.txt: the modules' names, an empty line, then
patterns with 1 or 0 for each module by PEFT's rule, and a tab between.
"""
import json
import os
import re
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils.other import get_pattern_key
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

ADAPTERS = {
    "patterns": dict(
        r=2, lora_alpha=3,
        rank_pattern={r"^model\.layers\.0\.mlp\..*": 1, "k_proj|v_proj": 3, r".*\.layers\.1\..*(gate|up)_proj": 4},
        alpha_pattern={"^model.layers.0.self_attn.q_proj": 32, r".*\.layers\.1\..*q_proj": 5, r"(?:k|v).proj": 7,
                       r"layers\.[1-9]+\.self_attn\.(?!q)o_\w+": 11, "layers.1.mlp.down_proj": 13, "down_proj": 17,
                       r"layers\.\d+\.mlp\.down_proj": 19}),
    "rslora": dict(r=4, lora_alpha=6, use_rslora=True, rank_pattern={r"model\.layers\.(0|1)\.mlp\.\w{4}_proj": 2},
                   alpha_pattern={r".+\.q_proj": 9, r"self_attn\.[^q]_proj": 0.5,
                                  "layers.1.mlp.down_proj": 13, "down_proj": 17}),
}

MODULES = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj", "model.layers.11.self_attn.k_proj",
           "model.layers.1.mlp.down_proj", "model.language_model.layers.21.cross_attn.o_proj", "lm_head",
           "language_model.model.layers.3.mlp.gate_proj", "vision_model.transformer.layers.0.mlp.fc1"]

PATTERNS = ["q_proj", "proj", "_proj", "self_attn.q_proj", "self_attn.q.proj", "layers.1.self_attn.q_proj", "^q_proj", "^lm_head$",
            "^model.layers.1.self_attn.q_proj", "^layers.1.self_attn.q_proj", r".*\.layers\.1\..*q_proj", r"layers\.1\..*", ".*", "",
            ".*q_proj", ".*.q_proj", "q_proj|k_proj", "(q|k)_proj", "q|k_proj", "[qk]_proj", "[^qk]_proj", "[a-k]_proj", r"[\w.]+1.*_proj",
            r"layers\.\d\..*", r"layers\.\d{2}\..*", r"layers\.\d{1,2}\.self.*", r"layers\.\d{2,}\..*", r"layers\.[0-2]{1}\D+",
            "(?:q|o)_proj", r".*(?<!self_attn)\.o_proj", r".*(?<=cross_attn)\.o_proj", r"(?!lm)\w+", r"(?=.*down)\w+_proj", "lm.head", r"lm\.head",
            "lm_?head", "lm_*head", "lm_+?head", "l?m?_?h?e?a?d?", r"\Alm_head\Z", r"\bfc1\b", r"fc\B1", "fc[]1]", "fc[^]]", "fc[-1]", "fc[1-]",
            "fc[0-9-]", r"fc[\d]", r"[\-f]c1", "f|.c1", "a)|(lm_head", "?:lm_head", "q_proj)?(", r"layers\.0\..*\Z", ".*layers$", "model", "Q_PROJ",
            "layers.1", r"\S+", r"\s*", r"lm\Whead", "(lm_head)+", "((l)(m))_(((h)))ead", "^^lm_head$$", r"(.*\.)*q_proj", "lm_head{1}", "fc1]", "fc1}"]


def write(root, name, model, settings):
    folder = os.path.join(root, name)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    before = {k: v.clone() for k, v in model.state_dict().items()}
    tuned = get_peft_model(model, LoraConfig(target_modules=targets, **settings))
    for k, v in tuned.named_parameters():
        if "lora_" in k:
            torch.nn.init.normal_(v, std=0.3)
    tuned.save_pretrained(folder)
    os.remove(os.path.join(folder, "README.md"))
    with open(os.path.join(folder, "adapter_config.json")) as f:
        config = json.load(f)
    config["target_modules"] = targets  # a set, saved in any order
    if name == "rslora":
        config["alpha_pattern"] = settings["alpha_pattern"]
    with open(os.path.join(folder, "adapter_config.json"), "w") as f:
        json.dump(config, f, indent=2)
    tuned.unload().load_state_dict(before)
    merged = PeftModel.from_pretrained(model, folder).merge_and_unload().state_dict()
    changed = {k: v for k, v in merged.items() if not torch.equal(v, before[k])}
    assert len(changed) == 14
    save_file(changed, os.path.join(root, f"expect_{name}.safetensors"))


def main(root):
    torch.manual_seed(20)
    config = LlamaConfig(hidden_size=4, intermediate_size=6, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, vocab_size=8)
    for name, settings in ADAPTERS.items():
        torch.manual_seed(len(name))
        model = LlamaForCausalLM(config)
        os.makedirs(root, exist_ok=True)
        if name == "patterns":
            state = {k: v.clone() for k, v in model.state_dict().items() if k.endswith("proj.weight")}
            save_file(state, os.path.join(root, "base.safetensors"))
        model.load_state_dict(state, strict=False)
        write(root, name, model, settings)
    with open(os.path.join(root, "matches.txt"), "w") as f:
        f.write("\n".join(MODULES) + "\n\n")
        for p in PATTERNS:
            found = [re.match(rf"(.*\.)?({p})$", m) is not None for m in MODULES]
            assert all((get_pattern_key([p], m) == p) == hit or p == m for m, hit in zip(MODULES, found))
            f.write(p + "\t" + "".join("01"[hit] for hit in found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
