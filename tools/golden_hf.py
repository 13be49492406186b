"""Tiny models in Hugging Face's layout with every naming, number format and split, and a LoRA adapter,
for tests/unit/nn/test_hf_folder.c and the command-line cases.

    python tools/golden_hf.py tests/golden/hf              # transformers 4 with torch
    python tools/golden_hf.py --config tests/golden/hf     # transformers 5: config files only
"""

import json
import os
import sys

import transformers
from transformers import LlamaConfig, MllamaConfig

TEXT = dict(
    vocab_size=40, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=1,
    intermediate_size=32, rms_norm_eps=1e-5, max_position_embeddings=256, tie_word_embeddings=False,
    bos_token_id=0, eos_token_id=[1, 9], pad_token_id=4,
)
ROPE = dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=64,
)
VISION = dict(
    hidden_size=8, num_hidden_layers=2, num_global_layers=1, attention_heads=2, intermediate_size=16,
    image_size=28, patch_size=14, max_num_tiles=4, intermediate_layers_indices=[0], vision_output_dim=16,
)
MAJOR = int(transformers.__version__.split(".")[0])


def with_rope(text):
    if MAJOR >= 5:
        return dict(text, rope_parameters=dict(ROPE, rope_theta=10000.0))
    return dict(text, rope_scaling=ROPE, rope_theta=10000.0)


def configs():
    text = with_rope(dict(TEXT, cross_attention_layers=[1]))
    return (MllamaConfig(text_config=text, vision_config=VISION, image_token_index=40),
            LlamaConfig(**with_rope(dict(TEXT, tie_word_embeddings=True, eos_token_id=1))))


def old_name(name):
    for new, old in (("model.language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head."),
                     ("model.vision_model.", "vision_model."),
                     ("model.multi_modal_projector.", "multi_modal_projector.")):
        if name.startswith(new):
            return old + name[len(new):]
    return name


def save_config(folder, config):
    os.makedirs(folder, exist_ok=True)
    config.save_pretrained(folder)


def main(root):
    import torch
    from safetensors.torch import save_file
    from transformers import LlamaForCausalLM, MllamaForConditionalGeneration

    torch.manual_seed(1)
    mllama, llama = configs()

    def tensors(model):
        state = {k: v for k, v in model.state_dict().items() if "inv_freq" not in k}
        return {k: torch.randn(v.shape) for k, v in sorted(state.items())}

    def write(name, config, state, split=False):
        folder = os.path.join(root, name)
        save_config(folder, config)
        if not split:
            save_file(state, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
            return
        names = sorted(state)
        shards = [names[0::3], names[1::3], names[2::3]]
        files = [f"model-{i + 1:05}-of-00003.safetensors" for i in range(3)]
        for file, part in zip(files, shards):
            save_file({k: state[k] for k in part}, os.path.join(folder, file), metadata={"format": "pt"})
        index = {"metadata": {"total_size": sum(v.nbytes for v in state.values())},
                 "weight_map": {k: f for f, part in zip(files, shards) for k in part}}
        with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
            json.dump(index, f, indent=1, sort_keys=True)

    state = tensors(MllamaForConditionalGeneration(mllama))
    assert "model.language_model.embed_tokens.weight" in state
    old = {old_name(k): v for k, v in state.items()}
    write("old_bf16", mllama, {k: v.bfloat16() for k, v in old.items()})
    write("new_f16_shards", mllama, {k: v.half() for k, v in state.items()}, split=True)
    write("old_f32_shards", mllama, old, split=True)
    save_file({k: v.bfloat16().float() for k, v in state.items()}, os.path.join(root, "expect_bf16.safetensors"))
    save_file({k: v.half().float() for k, v in state.items()}, os.path.join(root, "expect_f16.safetensors"))

    text = tensors(LlamaForCausalLM(llama))
    text.pop("lm_head.weight")
    write("llama_f32", llama, text)

    lora(root, state, torch, save_file)


def lora(root, state, torch, save_file):
    """W' = W + scale B A in double; one module has a rank and an alpha of its own."""
    folder = os.path.join(root, "lora")
    os.makedirs(folder, exist_ok=True)
    targets = {"model.language_model.layers.0.self_attn.q_proj": 2, "model.language_model.layers.1.cross_attn.k_proj": 2,
               "model.language_model.layers.2.mlp.down_proj": 3}
    rank, alpha = 2, 5
    adapter, expect = {}, {}
    for i, (module, r) in enumerate(targets.items()):
        w = state[module + ".weight"]
        a, b = torch.randn(r, w.shape[1]), torch.randn(w.shape[0], r)
        name = old_name(module) if i == 1 else module  # both namings occur
        adapter[f"base_model.model.{name}.lora_A.weight"] = a
        adapter[f"base_model.model.{name}.lora_B.weight"] = b
        scale = 7 / r if r == 3 else alpha / r
        expect[module + ".weight"] = (w.double() + scale * (b.double() @ a.double())).float()
    save_file(adapter, os.path.join(folder, "adapter_model.safetensors"), metadata={"format": "pt"})
    save_file(expect, os.path.join(root, "expect_lora.safetensors"))
    settings = {
        "alpha_pattern": {"down_proj": 7}, "auto_mapping": None, "base_model_name_or_path": "tiny", "bias": "none",
        "fan_in_fan_out": False, "inference_mode": True, "init_lora_weights": True, "layers_pattern": None,
        "lora_alpha": alpha, "lora_dropout": 0.05, "modules_to_save": None, "peft_type": "LORA", "r": rank,
        "rank_pattern": {"mlp.down_proj": 3}, "target_modules": ["q_proj", "k_proj", "down_proj"],
        "task_type": "CAUSAL_LM", "use_dora": False, "use_rslora": False,
    }
    with open(os.path.join(folder, "adapter_config.json"), "w") as f:
        json.dump(settings, f, indent=2)


if __name__ == "__main__":
    if sys.argv[1] == "--config":
        for folder, config in zip(("mllama", "llama"), configs()):
            save_config(os.path.join(sys.argv[2], f"config_{MAJOR}_{folder}"), config)
    else:
        main(sys.argv[1])
