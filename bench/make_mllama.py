"""A mid-size Llama 3.2 Vision of random weights, as a Hugging Face folder, for the races with transformers.

    python bench/make_mllama.py --tokenizer smollm2/tokenizer.json --out DIR

About 330 million parameters in float32, in proportion to the 11B: 560 pixels, 4 tiles, cross-attention at layers 3 and 8, six
states of the tower to the projector. Gates are open, and the rows of unused tiles in the tile tables are zero, as in the
released models. Beside DIR it writes DIR.mdf and DIR.plain: the same files (links) with the settings that mdf wants, the
latter with every unused tile computed.

transformers 4.54 and later take the tower's intermediate states *behind* the layers of intermediate_layers_indices, the
released models and mdf those *before*; the folders' settings differ by one, so that both compute the same.
"""

import argparse
import json
import os
import pathlib

import torch
from transformers import (MllamaConfig, MllamaForConditionalGeneration, MllamaImageProcessor, MllamaProcessor,
                          PreTrainedTokenizerFast)

IMAGE = 49152  # token of the picture: the first behind the vocabulary
LLAMA = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>",
         "<|finetune_right_pad_id|>", "<|eom_id|>"]
FIRST = 3  # SmolLM2's special tokens from here on take these names
BEHIND = [0, 2, 3, 5, 6]
GRIDS = [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<|image|>' }}{% elif content['type'] == 'text' %}{{ content['text'] }}"
    "{% endif %}{% endfor %}{% endif %}{{ '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")


def settings():
    """In proportion to the 11B."""
    text = {"vocab_size": IMAGE, "hidden_size": 1024, "num_hidden_layers": 10, "num_attention_heads": 16,
            "num_key_value_heads": 4, "intermediate_size": 3584, "cross_attention_layers": [3, 8],
            "rope_theta": 500000.0, "rms_norm_eps": 1e-5, "max_position_embeddings": 131072, "bos_token_id": FIRST,
            "eos_token_id": [FIRST + 3, FIRST + 4, FIRST + 6], "pad_token_id": FIRST + 5, "tie_word_embeddings": False,
            "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                             "original_max_position_embeddings": 8192}}
    vision = {"hidden_size": 640, "num_hidden_layers": 8, "num_global_layers": 2, "attention_heads": 8,
              "intermediate_size": 2560, "image_size": 560, "patch_size": 14, "max_num_tiles": 4,
              "vision_output_dim": 640 * (1 + len(BEHIND)), "intermediate_layers_indices": BEHIND,
              "supported_aspect_ratios": GRIDS, "norm_eps": 1e-5}
    return MllamaConfig(text_config=text, vision_config=vision, image_token_index=IMAGE)


@torch.no_grad()
def open_up(model):
    """Gates that let something through; nothing in the tables for unused tiles."""
    for name, p in model.named_parameters():
        if "gate" in name and p.numel() == 1:
            p.fill_(0.5)
        elif name.endswith(("tile_embedding.weight", "pre_tile_positional_embedding.embedding.weight",
                            "post_tile_positional_embedding.embedding.weight")):
            p.normal_(0, 0.02)
            table = p.view(len(GRIDS) + 1, 4, -1)
            table[0] = 0
            for k, (rows, columns) in enumerate(GRIDS):
                table[k + 1, rows * columns:] = 0
        elif name.endswith(("class_embedding", "gated_positional_embedding.embedding")):
            p.normal_(0, 0.02)


def tokenizer_of(path, out):
    """SmolLM2's vocabulary with the special tokens of Llama 3."""
    data = json.loads(path.read_text())
    vocabulary = data["model"]["vocab"]
    for k, name in enumerate(LLAMA):
        token = next(t for t in data["added_tokens"] if t["id"] == FIRST + k)
        vocabulary[name] = vocabulary.pop(token["content"])
        token["content"] = name
    data["added_tokens"].append({**data["added_tokens"][0], "id": IMAGE, "content": "<|image|>"})
    file = out / "tokenizer.json"
    file.write_text(json.dumps(data, ensure_ascii=False))
    return PreTrainedTokenizerFast(tokenizer_file=str(file), bos_token=LLAMA[0], eos_token=LLAMA[3], pad_token=LLAMA[5],
                                   model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=False)


def link_folder(source, out, deduplicate):
    """mdf's view of the same files."""
    out.mkdir(exist_ok=True)
    for file in source.iterdir():
        target = out / file.name
        if file.name != "config.json" and not target.is_symlink():
            target.symlink_to(os.path.relpath(file, out))
    config = json.loads((source / "config.json").read_text())
    config["vision_config"]["intermediate_layers_indices"] = [i + 1 for i in BEHIND]
    config["vision_config"]["deduplicate"] = deduplicate
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    model = MllamaForConditionalGeneration(settings())
    open_up(model)
    model.generation_config.do_sample = False
    model.save_pretrained(args.out)
    processor = MllamaProcessor(
        MllamaImageProcessor(size={"height": 560, "width": 560}, max_image_tiles=4,
                             image_mean=[0.48145466, 0.4578275, 0.40821073],
                             image_std=[0.26862954, 0.26130258, 0.27577711]),
        tokenizer_of(args.tokenizer, args.out), chat_template=TEMPLATE)
    processor.save_pretrained(args.out)
    link_folder(args.out, args.out.with_name(args.out.name + ".mdf"), True)
    link_folder(args.out, args.out.with_name(args.out.name + ".plain"), False)
    print(f"{args.out}: {sum(p.numel() for p in model.parameters()) / 1e6:.0f} million parameters")


if __name__ == "__main__":
    main()
