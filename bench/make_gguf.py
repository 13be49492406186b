"""GGUF files for the races with llama.cpp: a Llama of random weights, or another file in other blocks.

    python bench/make_gguf.py --shape 8b --type q4_0 --out 8b-q4_0.gguf
    python bench/make_gguf.py --source smollm2.gguf --type q8_0 --out smollm2-q8_0.gguf

--shape: the numbers are drawn as blocks, not rounded from floats, so that 8 billion take seconds; they are as large as
those of a trained model. The file has no tokenizer. --source: matrices become floats and are rounded again; the table of
tokens, which here is the head too, is left as it is, unless it isn't in blocks.
"""

import argparse
import pathlib

import gguf
import numpy

TYPES = {t.name.lower(): t for t in (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0)}
# Layers, width, MLP, heads, heads of keys, tokens, base of the rotary positions.
SHAPES = {
    "8b": (32, 4096, 14336, 32, 8, 128256, 500000.0),  # Llama 3.1 8B
    "test": (2, 256, 512, 8, 2, 1024, 10000.0),
}
DEVIATION = 0.02  # of a weight


def random_blocks(rng, kind, rows, columns):
    """-> [rows, bytes of a row]: a scale in half precision, then uniform integers of 8 or 4 bits with mean 0: the lowest one,
    which has no opposite, becomes 0. (Weights of another mean give nearly the same answer to everything.)"""
    blocks = rows * columns // 32
    numbers = 32 if kind == TYPES["q8_0"] else 16
    out = numpy.empty((blocks, 2 + numbers), numpy.uint8)
    levels = 256 if kind == TYPES["q8_0"] else 16
    scale = DEVIATION / (levels / 12**0.5)
    out[:, :2] = (scale * (0.5 + rng.random((blocks, 1), numpy.float32))).astype(numpy.float16).view(numpy.uint8)
    drawn = numpy.frombuffer(rng.bytes(blocks * numbers), numpy.uint8).reshape(blocks, numbers)
    if kind == TYPES["q8_0"]:
        out[:, 2:] = numpy.where(drawn == 0x80, 0, drawn)
    else:
        out[:, 2:] = drawn | numpy.where(drawn & 0x0F == 0, 0x08, 0) | numpy.where(drawn & 0xF0 == 0, 0x80, 0)
    return out.reshape(rows, -1)


def tensors_of(shape):
    """-> (name, shape) of every tensor, in the order of the file."""
    layers, width, mlp, heads, kv_heads, tokens, _ = shape
    kv = width // heads * kv_heads
    yield "token_embd.weight", (tokens, width)
    for i in range(layers):
        for name, dims in (("attn_norm", (width,)), ("attn_q", (width, width)), ("attn_k", (kv, width)),
                           ("attn_v", (kv, width)), ("attn_output", (width, width)), ("ffn_norm", (width,)),
                           ("ffn_gate", (mlp, width)), ("ffn_up", (mlp, width)), ("ffn_down", (width, mlp))):
            yield f"blk.{i}.{name}.weight", dims
    yield "output_norm.weight", (width,)
    yield "output.weight", (tokens, width)


def begin(writer, infos):
    """Everything before the numbers. infos: name, shape in bytes or floats, type or None."""
    for name, dims, dtype, kind in infos:
        writer.add_tensor_info(name, dims, dtype, int(numpy.prod(dims)) * dtype.itemsize, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()


def write_random(path, shape, kind):
    """A Llama of random weights, tensor by tensor."""
    layers, width, mlp, heads, kv_heads, tokens, theta = shape
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random weights")
    writer.add_block_count(layers)
    writer.add_context_length(8192)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(mlp)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(theta)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(tokens)
    writer.add_tokenizer_model("no_vocab")
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind.name}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    infos = []
    for name, dims in tensors_of(shape):
        if len(dims) == 1:
            infos.append((name, dims, numpy.dtype(numpy.float32), None))
        else:
            infos.append((name, (dims[0], dims[1] // block * block_bytes), numpy.dtype(numpy.uint8), kind))
    begin(writer, infos)
    rng = numpy.random.default_rng(1)
    for name, dims in tensors_of(shape):
        data = numpy.ones(dims, numpy.float32) if len(dims) == 1 else random_blocks(rng, kind, *dims)
        writer.write_tensor_data(data)
    writer.close()


def write_again(path, source, kind):
    """The file `source` with its matrices in blocks of another type."""
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(path, architecture)
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in ("general.architecture", "general.file_type"):
            sub = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=sub)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind.name}"])
    infos, kept = [], set()
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    for t in reader.tensors:
        plain = t.tensor_type == gguf.GGMLQuantizationType.F32
        if plain or (t.name == "token_embd.weight" and t.tensor_type == TYPES["q8_0"]):
            kept.add(t.name)
            infos.append((t.name, t.data.shape, t.data.dtype, None if plain else t.tensor_type))
        else:
            rows, columns = (int(n) for n in t.shape[::-1])
            infos.append((t.name, (rows, columns // block * block_bytes), numpy.dtype(numpy.uint8), kind))
    begin(writer, infos)
    for t in reader.tensors:
        data = t.data
        if t.name not in kept:
            data = gguf.quants.quantize(gguf.quants.dequantize(data, t.tensor_type), kind)
        writer.write_tensor_data(data)
    writer.close()


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--shape", choices=sorted(SHAPES))
    what.add_argument("--source", type=pathlib.Path)
    parser.add_argument("--type", choices=sorted(TYPES), required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    part = args.out.with_name(args.out.name + ".part")
    if args.source is None:
        write_random(part, SHAPES[args.shape], TYPES[args.type])
    else:
        write_again(part, args.source, TYPES[args.type])
    part.rename(args.out)


if __name__ == "__main__":
    main()
