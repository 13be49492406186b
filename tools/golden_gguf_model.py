"""Writes tests/golden/gguf_model/: tiny random models of transformers' classes, once as a GGUF file
with what llama.cpp's and ollama's converters do to a model, once as the tensors that must come out.

    python tools/golden_gguf_model.py
"""

import pathlib
import re

import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from gguf import GGUFWriter, quants
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM, MllamaConfig,
                          MllamaForConditionalGeneration)

TESTS = pathlib.Path(__file__).resolve().parent.parent / "tests"
FOLDER = TESTS / "golden" / "gguf_model"
CORPUS = TESTS / "fuzz" / "corpus" / "gguf"
ROPE = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192}
TEXT = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "intermediate_size": 64, "rope_theta": 500000.0,
        "rope_scaling": ROPE, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
        "pad_token_id": 4, "bos_token_id": 0, "eos_token_id": 1}
VISION = {"hidden_size": 32, "attention_heads": 2, "intermediate_size": 64, "num_hidden_layers": 2,
          "num_global_layers": 1, "image_size": 28, "patch_size": 14, "max_num_tiles": 4,
          "intermediate_layers_indices": [0, 1], "vision_output_dim": 96, "norm_eps": 1e-5}

# name of transformers (4.52 and later) -> name in a GGUF file
LAYER = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
         "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down",
         "gate_attn": "attn_gate", "gate_ffn": "ffn_gate"}
WHOLE = {"model.language_model.embed_tokens": "token_embd", "model.language_model.norm": "output_norm",
         "lm_head": "output", "model.multi_modal_projector": "mm.0",
         "model.vision_model.class_embedding": "v.class_embd",
         "model.vision_model.patch_embedding": "v.patch_embd",
         "model.vision_model.gated_positional_embedding": "v.position_embd",
         "model.vision_model.gated_positional_embedding.embedding": "v.position_embd.weight",
         "model.vision_model.gated_positional_embedding.tile_embedding": "v.tile_position_embd",
         "model.vision_model.pre_tile_positional_embedding.embedding": "v.pre_tile_position_embd",
         "model.vision_model.pre_tile_positional_embedding": "v.pre_tile_position_embd",
         "model.vision_model.post_tile_positional_embedding.embedding": "v.post_tile_position_embd",
         "model.vision_model.post_tile_positional_embedding": "v.post_tile_position_embd",
         "model.vision_model.layernorm_pre": "v.pre_ln", "model.vision_model.layernorm_post": "v.post_ln"}


def gguf_name(name):
    """The converters' name."""
    stem, end = re.fullmatch(r"(.*?)(\.weight|\.bias|\.gate)?", name).groups(default="")
    if stem in WHOLE:
        return WHOLE[stem] + end
    stack = {"model.language_model.layers": "blk", "model.vision_model.transformer.layers": "v.blk",
             "model.vision_model.global_transformer.layers": "v.global.blk"}
    prefix, layer, rest = re.fullmatch(r"(.*\.layers)\.(\d+)\.(.*)", stem).groups()
    rest = LAYER[rest] if rest in LAYER else rest.replace("cross_attn.", "cross_attn_")
    return f"{stack[prefix]}.{layer}.{rest}{end}"


def interleave(x, heads):
    """Half-split rows of each head -> pairs side by side, as llama.cpp's converter does it."""
    split = x.reshape(heads, 2, x.shape[0] // heads // 2, x.shape[1])
    return split.swapaxes(1, 2).reshape(x.shape)


def rope_factors(rope, theta, width):
    """The divisors of llama.cpp's converter."""
    out = []
    for i in range(0, width, 2):
        wave = 2 * np.pi * theta ** (i / width)
        smooth = ((rope["original_max_position_embeddings"] / wave - rope["low_freq_factor"]) /
                  (rope["high_freq_factor"] - rope["low_freq_factor"]))
        smooth = min(max(smooth, 0.0), 1.0)
        out.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.float32(out)


def tensors(model, rename):
    """Random numbers that half precision holds, in the order of the model."""
    rng = np.random.default_rng(5)
    out = {}
    for name, p in model.state_dict().items():
        x = rng.standard_normal(tuple(p.shape)).astype(np.float16).astype(np.float32)
        out[rename(name)] = x / 2 if "gate" in name.split(".")[-1] else x
    return out


def stored(name, x):
    """Number type of a tensor in the file: small ones in full, matrices of every kind."""
    if x.ndim != 2 or min(x.shape) < 16:
        return T.F16 if x.ndim == 4 else T.F32
    if "mlp" in name or "tile_embedding" in name:
        return T.Q4_0 if "gate" in name or "fc1" in name or "tile" in name else T.Q8_0
    return {"q_proj": T.Q5_1, "k_proj": T.F16, "o_proj": T.BF16}.get(name.split(".")[-2], T.Q4_1)


def encode(x, kind):
    """An array that safetensors and gguf write as these bytes."""
    if kind == T.F32:
        return x
    return x.astype(np.float16) if kind == T.F16 else quants.quantize(x, kind)


def transformed(name, x, text, vision):
    """What the converters do to a tensor. ollama's tower has the position's gate twice."""
    last = name.split(".")[-1]
    if re.search(r"(self|cross)_attn\.[qk]_proj", name):
        heads = vision["attention_heads"] if "vision_model" in name else (
            text["num_attention_heads"] if "q_proj" in name else text["num_key_value_heads"])
        return interleave(x, heads)
    return np.tanh(x) if "vision_model" in name and "gate" in last else x


def write(arch, values, weights, text, inv_freq):
    """<arch>.gguf and <arch>.safetensors."""
    writer = GGUFWriter(FOLDER / f"{arch}.gguf", arch)
    for key, value in values.items():
        kind = {int: writer.add_uint32, float: writer.add_float32, list: writer.add_array,
                str: writer.add_string}[type(value)]
        kind(key if key.startswith("tokenizer.") else f"{arch}.{key}", value)
    expect = {"inv_freq": inv_freq}
    kinds = {}
    width = text["hidden_size"] // text["num_attention_heads"]
    writer.add_tensor("rope_freqs.weight",
                      rope_factors(text["rope_scaling"], text["rope_theta"], width))
    for name, x in weights.items():
        kind = stored(name, x)
        expect[name] = encode(x, kind)
        if expect[name].dtype == np.uint8 and kind != T.BF16:
            kinds[f"mdf.dtype.{name}"] = kind.name
        changed = transformed(name, x, text, VISION)
        writer.add_tensor(gguf_name(name), encode(changed, kind), raw_dtype=kind)
        if name.endswith("gated_positional_embedding.gate"):
            writer.add_tensor("v.tile_position_embd.gate", changed)
            writer.tensors[-1]["v.position_embd.gate"].tensor = 1 - changed
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if arch == "llama":  # a seed of the fuzz target
        (CORPUS / arch).write_bytes((FOLDER / "llama.gguf").read_bytes())
    expect = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in expect.items()}
    for name, x in expect.items():
        if x.dtype == torch.uint8 and f"mdf.dtype.{name}" not in kinds:
            expect[name] = x.view(torch.bfloat16)
    save_file(expect, FOLDER / f"{arch}.safetensors", metadata=kinds)
    (FOLDER / f"{arch}.safetensors").chmod(0o644)


def text_values(text):
    """The keys of llama.cpp's converter."""
    words = ["<s>", "</s>"] + [f"t{i}" for i in range(text["vocab_size"] - 2)]
    return {"block_count": text["num_hidden_layers"], "context_length": 256,
            "embedding_length": text["hidden_size"], "vocab_size": text["vocab_size"],
            "feed_forward_length": text["intermediate_size"],
            "attention.head_count": text["num_attention_heads"],
            "attention.head_count_kv": text["num_key_value_heads"],
            "attention.layer_norm_rms_epsilon": text["rms_norm_eps"],
            "rope.freq_base": text["rope_theta"],
            "rope.dimension_count": text["hidden_size"] // text["num_attention_heads"],
            "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe",
            "tokenizer.ggml.tokens": words, "tokenizer.ggml.token_type": [3, 3] + [1] * (len(words) - 2),
            "tokenizer.ggml.merges": ["t 1", "t 2"], "tokenizer.ggml.bos_token_id": 0,
            "tokenizer.ggml.eos_token_id": 1, "tokenizer.ggml.padding_token_id": 4,
            # the test renames these to keys of other models
            "xxxx.scale_linear": 2.0, "xxxx.scaling.type": "yarn", "xxxxxx_count": 8}


def main():
    """Both models."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**TEXT, tie_word_embeddings=False))
    weights = tensors(model, lambda n: n.replace("model.", "model.language_model.", 1))
    write("llama", text_values(TEXT), weights, TEXT, model.model.rotary_emb.inv_freq.numpy())

    # another rule for the frequencies, whose numbers are in no file
    text = {**TEXT, "num_hidden_layers": 4, "rope_theta": 10000.0, "cross_attention_layers": [1, 3],
            "rope_scaling": {**ROPE, "high_freq_factor": 16.0,
                             "original_max_position_embeddings": 2048}}
    model = MllamaForConditionalGeneration(
        MllamaConfig(text_config=text, vision_config=VISION, image_token_index=40))
    values = text_values(text)
    values["attention.cross_attention_layers"] = text["cross_attention_layers"]
    for key, name in [("block_count", "num_hidden_layers"), ("image_size", "image_size"),
                      ("global.block_count", "num_global_layers"), ("patch_size", "patch_size"),
                      ("intermediate_layers_indices", "intermediate_layers_indices"),
                      ("embedding_length", "hidden_size"), ("max_num_tiles", "max_num_tiles"),
                      ("feed_forward_length", "intermediate_size"),
                      ("attention.head_count", "attention_heads"),
                      ("attention.layer_norm_epsilon", "norm_eps")]:
        values[f"vision.{key}"] = VISION[name]
    values["vision.num_channels"] = 3
    inv_freq = model.model.language_model.rotary_emb.inv_freq.numpy()
    write("mllama", values, tensors(model, lambda n: n), text, inv_freq)


if __name__ == "__main__":
    main()
