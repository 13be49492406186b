"""Makes tests/golden/ask: questions about pictures, answered by transformers, from the picture's file to the answer's tokens.

    python tools/golden_ask.py tests/golden/ask

Needs transformers 4.49 (see golden_mllama.py), Pillow 11, torch. Two tiny random models in Hugging Face's layout: `vision`, a
MllamaForConditionalGeneration whose pictures go through the slow MllamaImageProcessor and whose chats through the simple template, and
`text`, a LlamaForCausalLM. All gates are open. Seeds are tried until no step of any answer is a near tie. together.json: questions
about several pictures at once, to the `vision` model that was found; of their wordings the first without a near tie is taken."""
import io
import json
import os
import shutil
import sys

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM, MllamaConfig, MllamaForConditionalGeneration, MllamaImageProcessor,
                          MllamaProcessor, PreTrainedTokenizerFast)

OUT = sys.argv[1]
GOLDEN = os.path.join(os.path.dirname(OUT.rstrip("/")))
VOCAB, IMAGE, EOS, TOKENS = 679, 679, [669, 677], 12
TEXT = dict(vocab_size=VOCAB, hidden_size=32, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48,
            rms_norm_eps=1e-5, rope_theta=10000.0, max_position_embeddings=256, bos_token_id=668, eos_token_id=EOS, pad_token_id=672,
            tie_word_embeddings=False)
SCALING = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
VISION = dict(hidden_size=16, num_hidden_layers=2, num_global_layers=1, attention_heads=2, intermediate_size=32, image_size=28,
              patch_size=7, max_num_tiles=4, intermediate_layers_indices=[0], vision_output_dim=32)
QUESTIONS = [("vision", "wide.png", None, "What is this?"), ("vision", "high.png", "63-year-old female.", "Which eye is it?"),
             ("vision", "small.png", None, "Is it sharp?"), ("vision", None, None, "Say something."),
             ("text", None, None, "Say something."), ("text", None, "Left eye.", "What is the macula?")]
TOGETHER = [(["wide.png", "high.png"], None), (["high.png", "wide.png"], None), (["small.png", "wide.png", "high.png"], "Left eye."),
            (["high.png", "small.png", "high.png"], None)]
WORDINGS = [f"{a} {b}?" for a in ("Which is", "Is one", "Which eye is", "What is", "Who is") for b in
            ("sharper", "older", "new", "the left one", "larger", "darker", "swollen", "of a child", "healthy", "worse")]
MARGIN = 0.02


def pictures():
    for name, (w, h) in {"wide.png": (90, 50), "high.png": (30, 100), "small.png": (20, 24)}.items():
        y, x = np.mgrid[0:h, 0:w]
        a = np.stack([128 + 100 * np.sin(x / 9 + y / 17), 40 + 2 * (x + y) % 200, 128 + 90 * np.cos(x * y / 300)], -1)
        Image.fromarray(np.clip(a, 0, 255).astype(np.uint8)).save(f"{OUT}/{name}")


def fill(model, seed):
    """Random numbers that make every part matter, exact in bfloat16."""
    gen = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=gen)
        if p.dim() >= 2:
            x = x / p.shape[-1] ** 0.5 * (3.0 if "lm_head" in name else 1.5)
            x = torch.randn(p.shape, generator=gen) if "embed_tokens" in name else x
        else:
            x = 0.2 * x + (1.0 if "norm" in name and "bias" not in name or "gate" in name else 0.0)
        p.data = x.to(torch.bfloat16).float()


def clear_unused(model):
    """Rows of tiles that a grid does not have are zero, as in the released models."""
    tower = model.vision_model
    grids = [(h, w) for h in range(1, 5) for w in range(1, 5) if h * w <= 4]
    for i, (h, w) in enumerate(grids):
        for table in (tower.gated_positional_embedding.tile_embedding, tower.pre_tile_positional_embedding.embedding,
                      tower.post_tile_positional_embedding.embedding):
            table.weight.data[i + 1].view(4, -1)[h * w:] = 0


def make(kind, seed):
    torch.manual_seed(seed)
    if kind == "vision":
        text = dict(TEXT, rope_scaling=SCALING, cross_attention_layers=[1, 3])
        model = MllamaForConditionalGeneration._from_config(
            MllamaConfig(text_config=text, vision_config=VISION, image_token_index=IMAGE), attn_implementation="eager")
    else:
        model = LlamaForCausalLM._from_config(LlamaConfig(**dict(TEXT, eos_token_id=EOS)), attn_implementation="eager")
    fill(model, seed)
    if kind == "vision":
        clear_unused(model)
    return model.eval()


LORA = [("language_model.model.layers.0.self_attn.q_proj", 4), ("language_model.model.layers.2.mlp.down_proj", 4),
        ("language_model.model.layers.1.cross_attn.k_proj", 2), ("vision_model.transformer.layers.1.mlp.fc1", 4)]


def add_lora(model):
    """An adapter in PEFT's layout, and its change to the weights, rounded to bfloat16 as the weights are."""
    gen = torch.Generator().manual_seed(77)
    tensors, named = {}, dict(model.named_parameters())
    for name, r in LORA:
        w = named[name + ".weight"]
        a, b = torch.randn((r, w.shape[1]), generator=gen) / 4, torch.randn((w.shape[0], r), generator=gen) / 4
        tensors[f"base_model.model.{name}.lora_A.weight"], tensors[f"base_model.model.{name}.lora_B.weight"] = a, b
        scale = 8 / r
        w.data = (w.data.double() + scale * b.double() @ a.double()).float().to(torch.bfloat16).float()
    os.makedirs(f"{OUT}/lora", exist_ok=True)
    save_file(tensors, f"{OUT}/lora/adapter_model.safetensors")
    json.dump({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none", "target_modules": [n for n, _ in LORA],
               "rank_pattern": {n: r for n, r in LORA if r != 4}}, open(f"{OUT}/lora/adapter_config.json", "w"), indent=1)


def ask(kind, model, processor, picture, text, question):
    """picture: a file's name, a list of them, or None."""
    words = (text + "\n\n" if text else "") + question
    if kind == "text":
        chat = processor.apply_chat_template([{"role": "user", "content": words}], tokenize=False, add_generation_prompt=True)
        inputs = processor(chat, return_tensors="pt", add_special_tokens=False)
        inputs.pop("token_type_ids", None)
    else:
        several = picture if isinstance(picture, list) else [picture] if picture else []
        content = [{"type": "image"} for _ in several] + [{"type": "text", "text": words}]
        chat = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        images = [Image.open(f"{OUT}/{p}") for p in several] or None
        inputs = processor(images=images, text=chat, add_special_tokens=False, return_tensors="pt")
        inputs.pop("token_type_ids", None)
    with torch.no_grad():
        out = model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False, eos_token_id=EOS, pad_token_id=672,
                             output_scores=True, return_dict_in_generate=True)
    prompt = inputs["input_ids"][0].tolist()
    made = out.sequences[0, len(prompt):].tolist()
    gap = min(float(s[0].topk(2).values.diff().abs()) for s in out.scores)
    return prompt, made, gap


def row(tokenizer, model, picture, text, question, prompt, made):
    return {"model": model, "picture" if not isinstance(picture, list) else "pictures": picture, "text": text, "question": question,
            "prompt": prompt, "tokens": made,
            "answer": tokenizer.decode(made, skip_special_tokens=True, clean_up_tokenization_spaces=False)}


def ask_together(model, processor):
    """Answers that depend on every picture and on their order."""
    rows = []
    for pictures, text in TOGETHER:
        others = [pictures[::-1], pictures[-1]] + [pictures[:i] + pictures[i + 1:] for i in range(len(pictures))]
        for question in WORDINGS:
            prompt, made, gap = ask("vision", model, processor, pictures, text, question)
            if gap > MARGIN and len(set(made)) > 4 and all(
                    o == pictures or ask("vision", model, processor, o, text, question)[1] != made for o in others):
                break
        else:
            sys.exit("no wording without near ties")
        print(" ".join(pictures), "smallest gap", gap)
        assert prompt.count(IMAGE) == len(pictures)
        rows.append(row(processor.tokenizer, "vision", pictures, text, question, prompt, made))
    return rows


def write(name, rows):
    with open(f"{OUT}/{name}", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")


def save(kind, model, template):
    folder = f"{OUT}/{kind}"
    os.makedirs(folder, exist_ok=True)
    model.config.save_pretrained(folder)
    save_file({k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items()}, f"{folder}/model.safetensors",
              metadata={"format": "pt"})
    shutil.copy(f"{GOLDEN}/tokenizer/llama3.json", f"{folder}/tokenizer.json")
    json.dump({"eos_token_id": EOS, "do_sample": True, "temperature": 0.6, "top_p": 0.9}, open(f"{folder}/generation_config.json", "w"))
    if kind == "vision":
        json.dump({"chat_template": template}, open(f"{folder}/chat_template.json", "w"))
    else:
        open(f"{folder}/chat_template.jinja", "w", newline="").write(template)


def main():
    assert transformers.__version__.startswith("4.49."), transformers.__version__
    os.makedirs(OUT, exist_ok=True)
    pictures()
    rows = []
    for kind, name in (("vision", "simple"), ("text", "text")):
        template = open(f"{GOLDEN}/chat/{name}.jinja", newline="").read()
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{GOLDEN}/tokenizer/llama3.json", bos_token="<|begin_of_text|>",
                                            pad_token="<|finetune_right_pad_id|>", chat_template=template)
        processor = tokenizer
        if kind == "vision":
            images = MllamaImageProcessor(size={"height": 28, "width": 28}, image_mean=[0.48145466, 0.4578275, 0.40821073],
                                          image_std=[0.26862954, 0.26130258, 0.27577711])
            processor = MllamaProcessor(images, tokenizer, chat_template=template)
        for seed in range(1, 500):
            model = make(kind, seed)
            got = [(q, ask(kind, model, processor, *q[1:])) for q in QUESTIONS if q[0] == kind]
            varied = all(len(set(made)) > 4 for _, (_, made, _) in got)
            if varied and min(gap for _, (_, _, gap) in got) > MARGIN:
                break
        else:
            sys.exit("no seed without near ties")
        print(kind, "seed", seed, "smallest gap", min(gap for _, (_, _, gap) in got))
        save(kind, model, template)
        if kind == "vision":
            write("together.json", ask_together(model, processor))
            add_lora(model)
            q = QUESTIONS[1]
            got.append((("lora",) + q[1:], ask(kind, model, processor, *q[1:])))
            print("with the adapter: smallest gap", got[-1][1][2])
            assert got[-1][1][2] > MARGIN and got[-1][1][1] != got[1][1][1]
        rows += [row(tokenizer, *q, prompt, made) for q, (prompt, made, _) in got]
    write("answers.json", rows)


main()
