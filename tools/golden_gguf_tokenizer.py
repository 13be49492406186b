"""Writes tests/golden/gguf_tokenizer/: small tokenizers as Hugging Face's tokenizers library saves
them, and GGUF files that hold the same as llama.cpp's converter puts it there.

    python tools/golden_gguf_tokenizer.py
"""

import json
import pathlib

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFWriter, quants
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TESTS = pathlib.Path(__file__).resolve().parent.parent / "tests"
FOLDER = TESTS / "golden" / "gguf_tokenizer"
CORPUS = TESTS / "fuzz" / "corpus" / "gguf"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
TEXT = """The patient is a 63-year-old woman with type 2 diabetes. Fundus photograph of the left eye:
microaneurysms, hard exudates and dot haemorrhages in the posterior pole, no oedema of the macula.
The patient's other eye: normal vessels, normal disc, normal macula. "Normal" means without signs.
Größe 1,5 mm; café au lait\ttab\r\n  two blanks, 12345 6789 \\ backslash."""
TEMPLATE = ("{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}"
            "{% endfor %}")


def tokenizer(pre, specials, ignore_merges=False, words=()):
    """Byte-level BPE; specials get the first ids, words are found in texts but not special."""
    out = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    out.pre_tokenizer = pre
    out.decoder = decoders.ByteLevel()
    out.train_from_iterator([TEXT], trainers.BpeTrainer(
        vocab_size=340, special_tokens=[AddedToken(s, special=True, normalized=False) for s in specials],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    # the converter lists added tokens with the others, and so does the original of SmolLM2
    vocab = {**out.get_vocab(), **{w: out.get_vocab_size() + i for i, w in enumerate(words)}}
    doc = json.loads(out.to_str())
    doc["model"]["vocab"] = vocab
    out = Tokenizer.from_str(json.dumps(doc))
    out.add_tokens([AddedToken(w, special=False, normalized=False) for w in words])
    return out


def template(out, bos, eos):
    """Tokens around every text."""
    before, after = ([bos] if bos else []), ([eos] if eos else [])
    single = " ".join(before + ["$A"] + after)
    pair = " ".join(before + ["$A"] + after + [f"{t}:1" for t in before] + ["$B:1"] + [f"{t}:1" for t in after])
    ids = sorted({t: out.token_to_id(t) for t in before + after}.items())
    out.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=ids)


def model(writer, vocab):
    """A Llama of one layer with tied embeddings: quantised and not."""
    rng = np.random.default_rng(7)
    shapes = {"token_embd": (vocab, 32), "output_norm": (32,), "blk.0.attn_norm": (32,),
              "blk.0.attn_q": (32, 32), "blk.0.attn_k": (16, 32), "blk.0.attn_v": (16, 32),
              "blk.0.attn_output": (32, 32), "blk.0.ffn_norm": (32,), "blk.0.ffn_gate": (64, 32),
              "blk.0.ffn_up": (64, 32), "blk.0.ffn_down": (32, 64)}
    for key, value in {"block_count": 1, "context_length": 128, "embedding_length": 32,
                       "feed_forward_length": 64, "attention.head_count": 2,
                       "attention.head_count_kv": 1}.items():
        writer.add_uint32(f"llama.{key}", value)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    for name, shape in shapes.items():
        x = (rng.standard_normal(shape) * 0.1).astype(np.float32)
        kind = T.F32 if len(shape) == 1 else T.Q8_0 if name == "token_embd" else T.Q4_1
        writer.add_tensor(name + ".weight", x if kind == T.F32 else quants.quantize(x, kind), raw_dtype=kind)


def write(name, out, types, values, with_model=False):
    """<name>.json and <name>.gguf."""
    (FOLDER / f"{name}.json").write_text(out.to_str() + "\n", encoding="utf-8")
    vocab = out.get_vocab()
    words = sorted(vocab, key=vocab.get)
    assert [vocab[w] for w in words] == list(range(len(words)))
    writer = GGUFWriter(FOLDER / f"{name}.gguf", "llama")
    writer.add_string("tokenizer.ggml.model", "gpt2")
    writer.add_string("tokenizer.ggml.pre", name)
    writer.add_array("tokenizer.ggml.tokens", words)
    if types:
        writer.add_array("tokenizer.ggml.token_type", [types.get(w, 1) for w in words])
    merges = json.loads(out.to_str())["model"]["merges"]
    writer.add_array("tokenizer.ggml.merges", [" ".join(m) for m in merges])
    for key, value in values.items():
        if isinstance(value, bool):
            writer.add_bool(f"tokenizer.ggml.{key}", value)
        else:
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", vocab[value])
    if with_model:
        writer.add_string("tokenizer.chat_template", TEMPLATE)
        model(writer, len(words))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (CORPUS / f"tokenizer_{name}").write_bytes((FOLDER / f"{name}.gguf").read_bytes())


def main():
    """Three kinds of byte-level tokenizers."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                      pre_tokenizers.ByteLevel(add_prefix_space=False)])
    out = tokenizer(digits, names, words=["  two", "Größe\n"])
    write("smollm", out, {**{n: 3 for n in names}, "  two": 4, "Größe\n": 4},
          {"bos": names[1], "eos": names[2], "unknown": names[0], "padding": names[2],
           "add_bos_token": False}, with_model=True)

    names = ["<|begin_of_text|>", "<|eot_id|>"]
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                     pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    out = tokenizer(split, names, ignore_merges=True)
    template(out, names[0], None)
    write("llama-bpe", out, {n: 3 for n in names}, {"bos": names[0], "eos": names[1]})

    names = ["<s>", "</s>"]
    out = tokenizer(pre_tokenizers.ByteLevel(add_prefix_space=False), names)
    template(out, names[0], names[1])
    write("gpt-2", out, {}, {"bos": names[0], "eos": names[1], "add_bos_token": True,
                             "add_eos_token": True})


if __name__ == "__main__":
    main()
