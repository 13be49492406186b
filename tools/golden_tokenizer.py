#!/usr/bin/env python3
"""Small tokenizers in Llama 3's manner and what Hugging Face's `tokenizers` makes of a few thousand texts.

    python tools/golden_tokenizer.py            (writes tests/golden/tokenizer/, tests/golden/chat/ and fuzz seeds)

The vocabulary is trained on text that this script makes up. See the READMEs that it writes.
"""
import json
import os
import random
import sys

import tokenizers
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check_tokenizer import LLAMA3, WORDS, invalid_texts, random_text  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests")
OUT = os.path.join(ROOT, "golden", "tokenizer")
CHAT = os.path.join(ROOT, "golden", "chat")
SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
            "<|finetune_right_pad_id|>", "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
            "<|eot_id|>", "<|python_tag|>", "<|image|>"]
CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"]


def corpus(r):
    sites = ["the optic disc", "the macula", "the fovea", "both arcades", "the periphery", "the left eye", "the right eye"]
    signs = ["drusen", "microaneurysms", "hard exudates", "cotton wool spots", "a pale rim", "no haemorrhage", "fibrosis"]
    people = ["a 63-year-old woman", "a 47-year-old man", "the patient", "a diabetic", "this person"]
    for _ in range(4000):
        yield (f"{r.choice(people).capitalize()} shows {r.choice(signs)} at {r.choice(sites)};\nIOP {r.randrange(8, 40)} mmHg, "
               f"cup-to-disc {r.random():.2f}. {r.choice(WORDS)} {r.choice(WORDS)}\n\n")


def merges_of_ranks(vocab):
    """As a converter from ranks makes them: every split of a token into two tokens, in order of the token."""
    out = []
    for token, _ in sorted(vocab.items(), key=lambda x: x[1]):
        splits = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in vocab and token[i:] in vocab]
        out += sorted(splits, key=lambda s: (vocab[s[0]], vocab[s[1]]))
    return out


def added(start, extra=(), names=SPECIALS):
    special = [{"id": start + i, "content": c, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True} for i, c in enumerate(names)]
    return special + [{"id": start + len(special) + i, "content": c, "single_word": False, "lstrip": False,
                       "rstrip": False, "normalized": True, "special": False} for i, c in enumerate(extra)]


def model(vocab, merges, ignore):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": ignore,
            "vocab": vocab, "merges": merges}


def byte_level(prefix, regex):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def whole(added_tokens, pre, post, model_json):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added_tokens, "normalizer": None,
            "pre_tokenizer": pre, "post_processor": post, "decoder": byte_level(True, True), "model": model_json}


def make_files(r):
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                                     pre_tokenizers.ByteLevel(False, use_regex=False)])
    trained.decoder = decoders.ByteLevel()
    trained.train_from_iterator(corpus(r), trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    state = json.loads(trained.to_str())["model"]
    vocab = dict(sorted(state["vocab"].items(), key=lambda x: x[1]))
    pairs = [m.split(" ") if isinstance(m, str) else m for m in state["merges"]]
    n = len(vocab)
    bos = {"type": "TemplateProcessing",
           "single": [{"SpecialToken": {"id": SPECIALS[0], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
           "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
           "special_tokens": {SPECIALS[0]: {"id": SPECIALS[0], "ids": [n], "tokens": [SPECIALS[0]]}}}
    split = {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False}
    files = {
        "llama3": whole(added(n), {"type": "Sequence", "pretokenizers": [split, byte_level(False, False)]},
                        {"type": "Sequence", "processors": [byte_level(True, True), bos]},
                        model(vocab, [" ".join(m) for m in merges_of_ranks(vocab)], True)),
        "gpt2": whole(added(n, ["optic disc", "OCT scan", "  "]), byte_level(True, True), None, model(vocab, pairs, False)),
        "digits": whole(added(n, names=CHATML), {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True},
                                                                         byte_level(False, True)]},
                        byte_level(True, False), model(vocab, pairs, False))}
    # bytes that no token stands for are dropped
    lost = [t for t in vocab if len(t) == 1 and ord(t) > 0xFF][:20]
    keep = [t for t in vocab if not any(c in lost for c in t)]
    few = {t: i for i, t in enumerate(keep)}
    files["gaps"] = whole(added(len(few)), byte_level(False, True), None,
                          model(few, [m for m in pairs if m[0] in few and m[1] in few and "".join(m) in few], False))
    for name, content in files.items():
        with open(os.path.join(OUT, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(content, f, ensure_ascii=name == "digits", separators=(",", ":"))
            f.write("\n")
    return list(files)


def write_expected(r, names):
    result = {}
    for name in names:
        path = os.path.join(OUT, name + ".json")
        hf = Tokenizer.from_file(path)
        texts = ["", " ", "\n", "a", " a", "user", "assistant", "\n\n", "system", "optic  disc OCT scan optic disc  x"]
        texts += SPECIALS + [SPECIALS[9] * 3, "a" + SPECIALS[11] + " b", "<|eot_id|", "<<|eot_id|>>"]
        while len(texts) < (700 if name == "llama3" else 180):
            text = random_text(r, SPECIALS)
            if len(text) <= 60:
                texts.append(text)
        cases = []
        for text in texts:
            hf.encode_special_tokens = False
            found = hf.encode(text, add_special_tokens=False).ids
            with_template = hf.encode(text, add_special_tokens=True).ids
            hf.encode_special_tokens = True
            plain = hf.encode(text, add_special_tokens=False).ids
            hf.encode_special_tokens = False
            case = [text, found]
            if plain != found or with_template != found and len(cases) < 20:
                case += [plain]
            if with_template != found and len(cases) < 20:
                case += [with_template]
            cases.append(case)
        result[name] = cases
        if name == "llama3":
            broken = [b for b in invalid_texts(r, 400) if len(b) <= 40][:120]
            result["broken"] = [[b.hex(), hf.encode(b.decode("utf-8", errors="replace"), add_special_tokens=False).ids]
                                for b in broken]
    for name, open_, close, begin, behind, end, between in (
            ("llama3", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>", "\n\n", "<|eot_id|>", ""),
            ("digits", "<|im_start|>", "", "", "\n", "<|im_end|>", "\n")):
        hf = Tokenizer.from_file(os.path.join(OUT, name + ".json"))
        ids = lambda t: hf.encode(t, add_special_tokens=False).ids  # noqa: E731
        rows = []
        last = open_ + "assistant" + close + behind
        for text in ("A 63-year-old woman.", " leading blank", "\nbreak", "1234 mmHg", "Größe 目", "the optic disc " * 20, "no"):
            head = begin + open_ + "user" + close + behind
            rows.append([text, ids(head + text + end + between + last),
                         ids(head) + [-1] + ids(text + end + between + last)])  # -1: the picture
        result["prompts." + name] = rows
        prompt = ids(last)
        labels = ["drusen", "diabetic retinopathy", "diabetic", "no haemorrhage", "目", "2 drusen", " drusen"]
        result["labels." + name] = [[t, ids(last + t + end)[len(prompt):]] for t in labels
                                    if ids(last + t + end)[:len(prompt)] == prompt]
    with open(os.path.join(OUT, "expect.json"), "w", encoding="utf-8") as f:
        f.write("{\n" + ",\n".join(json.dumps(k) + ":[\n" + ",\n".join(
            json.dumps(c, ensure_ascii=True, separators=(",", ":")) for c in v) + "]" for k, v in result.items()) + "}\n")
    with open(os.path.join(OUT, "README.md"), "w", encoding="utf-8") as f:
        f.write(f"""# Tokenizers and their tokens

Made by (tokenizers {tokenizers.__version__}):

    python tools/golden_tokenizer.py

- `llama3.json`: a vocabulary trained on text of the script, with Llama 3's pre-tokenizer, `ignore_merges`, its special
  tokens, merges in the way that a converter from ranks writes them ("a b"), and a template that puts `<|begin_of_text|>` first.
- `gpt2.json`: the same vocabulary behind GPT-2's pattern with `add_prefix_space`; merges as pairs; added tokens that are not special.
- `digits.json`: single digits first and ChatML's special tokens, as SmolLM2 has them; every string with \\u escapes.
- `gaps.json`: 20 bytes have no token: they are dropped.
- `expect.json`: per file `[text, ids, ids with encode_special_tokens (if others), ids with the template (if others)]`; `broken`: bytes in
  hexadecimal that are not UTF-8, and the ids of what Python's decoder (errors="replace") makes of them, with `llama3.json`.
  `prompts.*`: text, ids of its prompt without and with a picture (-1); `labels.*`: label, its tokens behind the prompt's.

Equal means equal: there is no tolerance. `tools/check_tokenizer.py` compares any tokenizer.json on 100,000 texts and all of Unicode.
""")


# Own texts of the two templates: what they do is in docs/MODEL.md section 5.
SIMPLE = ("{% for message in messages %}{% if loop.index0 == 0 %}{{ bos_token }}{% endif %}"
          "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
          "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
          "{% for content in message['content'] %}{% if content['type'] == 'image' %}{{ '<|image|>' }}"
          "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}"
          "{{ '<|eot_id|>' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}")

FULL = """{{- bos_token }}
{%- if not date_string is defined %}
  {%- if strftime_now is defined %}
    {%- set date_string = strftime_now("%d %b %Y") %}
  {%- else %}
    {%- set date_string = "26 Jul 2024" %}
  {%- endif %}
{%- endif %}
{#- the first message's instructions #}
{%- if messages[0]['role'] == 'system' %}
  {%- set system_message = messages[0]['content'] | trim %}
  {%- set messages = messages[1:] %}
{%- else %}
  {%- set system_message = "" %}
{%- endif %}
{% set image_ns = namespace(has_images=false) %}   \n{%- for message in messages %}
  {%- for content in message['content'] %}
    {%- if content['type'] == 'image' %}
      {%- set image_ns.has_images = true %}
    {%- endif %}
  {%- endfor %}
{%- endfor %}
{%- if image_ns.has_images and not system_message == "" %}
  {{- raise_exception("Prompting with images is incompatible with system messages.") }}
{%- endif %}
{%- if not image_ns.has_images %}
  {{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
  {{- "Cutting Knowledge Date: December 2023\\n" }}
  {{- "Today Date: " + date_string + "\\n\\n" }}
  {{- system_message }}
  {{- "<|eot_id|>" }}
{%- endif %}
{%- for message in messages %}
  {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
  {%- if message['content'] is string %}
    {{- message['content'] }}
  {%- else %}
    {%- for content in message['content'] %}
      {%- if content['type'] == 'image' %}
        {{- '<|image|>' }}
      {%- elif content['type'] == 'text' %}
        {{- content['text'] }}
      {%- endif %}
    {%- endfor %}
  {%- endif %}
  {{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

# Llama 3's own for text: trims, and knows no picture.
TEXT = ("{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + "
        "'<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
        "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")


# What SmolLM2's does: ChatML, with a system message of its own for chats that begin without one.
CHATML = """{%- for message in messages -%}
  {%- if loop.first and messages[0]["role"] != "system" -%}
    {{- "<|im_start|>system\\nYou answer questions.\\nBriefly.<|im_end|>\\n" -}}
  {%- endif -%}
  {{- "<|im_start|>" + message["role"] + "\\n" + message["content"] + "<|im_end|>" + "\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- "<|im_start|>assistant\\n" -}}
{%- endif -%}
"""


def chat_cases(r):
    image, date = {"type": "image"}, "26 Jul 2024"
    say = ["Which disease?", "  spaces  ", "\n\nbreaks\n", "", "<|eot_id|><|start_header_id|>system", "\u3000wide\u3000", "\u00a0x\u1680",
           "eye: 目", "\x1cfs\x1f", "tab\t", "\u180ekept\u200b", "\n"]
    for template in ("simple", "full", "text", "chatml"):
        for i in range(60):
            messages = []
            if r.random() < 0.5:
                messages.append(["system", [r.choice(say)]])
            for turn in range(r.randrange(0 if messages else 1, 4)):
                parts = [r.choice(say)]
                if template in ("simple", "full") and r.random() < 0.4:
                    parts = r.choice([[None, parts[0]], [parts[0], None], [None], [None, None, parts[0]]])
                messages.append(["user" if turn % 2 == 0 else "assistant", parts])
            yield template, messages, r.random() < 0.7, date


def write_chats(r):
    from transformers import PreTrainedTokenizerFast
    hf = PreTrainedTokenizerFast(tokenizer_file=os.path.join(OUT, "llama3.json"), bos_token=SPECIALS[0])
    text = {"simple": SIMPLE, "full": FULL, "text": TEXT, "chatml": CHATML}
    os.makedirs(CHAT, exist_ok=True)
    for name, t in text.items():
        with open(os.path.join(CHAT, name + ".jinja"), "w", encoding="utf-8", newline="") as f:
            f.write(t)
    rows = []
    for template, messages, ask, date in chat_cases(r):
        as_hf = [{"role": role, "content": parts[0] if len(parts) == 1 and parts[0] is not None else
                  [{"type": "image"} if p is None else {"type": "text", "text": p} for p in parts]} for role, parts in messages]
        try:
            out = hf.apply_chat_template(as_hf, chat_template=text[template], tokenize=False, add_generation_prompt=ask,
                                         date_string=date)
        except Exception as problem:
            out = None
            assert "incompatible" in str(problem), problem
        rows.append(json.dumps([template, messages, ask, date, out], ensure_ascii=True, separators=(",", ":")))
    with open(os.path.join(CHAT, "chats.json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(rows) + "]\n")
    with open(os.path.join(CHAT, "README.md"), "w", encoding="utf-8") as f:
        f.write(f"""# Chats as transformers renders them

Made by (transformers {transformers.__version__}) `python tools/golden_tokenizer.py`. `simple.jinja`, `full.jinja`: texts of this project that
do what the two templates of Llama 3.2 Vision do (without tools); `text.jinja`: Llama 3's for text; `chatml.jinja`: what SmolLM2's does. `chats.json`: rows of
`[template, [[role, [text or null for a picture, ...]], ...], add_generation_prompt, date, rendered]`; rendered is null where the template
raises an exception. Compared to the byte.
""")


def write_seeds():
    """Small files for the fuzz targets."""
    tiny = {"a": 0, "b": 1, "ab": 2, "\u0120": 3, "\u0120a": 4, "\u00e9": 5}
    split = {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False}
    seeds = {
        "llama3": whole(added(6), {"type": "Sequence", "pretokenizers": [split, byte_level(False, False)]}, None,
                        model(tiny, ["a b", "\u0120 a"], True)),
        "pairs": whole(added(6, ["ab ", "b"]), byte_level(True, True), None, model(tiny, [["a", "b"], ["\u0120", "a"]], False)),
        "digits": whole([], {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": False},
                                                                   byte_level(False, True)]}, None, model(tiny, [], False))}
    folder = os.path.join(ROOT, "fuzz", "corpus", "tokenizer_json")
    os.makedirs(folder, exist_ok=True)
    for name, content in seeds.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(content, f, ensure_ascii=name == "pairs", separators=(",", ":"))
    folder = os.path.join(ROOT, "fuzz", "corpus", "chat_template")
    os.makedirs(folder, exist_ok=True)
    for name, content in (("simple", SIMPLE), ("full", FULL), ("text", TEXT), ("chatml", CHATML),
                          ("config", json.dumps({"chat_template": [{"name": "default", "template": SIMPLE}]}))):
        with open(os.path.join(folder, name), "w", encoding="utf-8", newline="") as f:
            f.write(content)


def main():
    os.makedirs(OUT, exist_ok=True)
    r = random.Random(3)
    write_expected(r, make_files(r))
    write_chats(r)
    write_seeds()


if __name__ == "__main__":
    main()
