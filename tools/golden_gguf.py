"""Writes tests/golden/gguf/ with the gguf package: values of every type, tensors of every type, a
model in two parts, an adapter. Also the seeds of the fuzz target.

    python tools/golden_gguf.py
"""

import pathlib

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFType, GGUFValueType, GGUFWriter, quants

TESTS = pathlib.Path(__file__).resolve().parent.parent / "tests"
FOLDER = TESTS / "golden" / "gguf"
CORPUS = TESTS / "fuzz" / "corpus" / "gguf"
QUANTISED = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]


def add_values(writer):
    """A value of every type, and arrays."""
    kinds = GGUFValueType
    for kind, value in [(kinds.UINT8, 200), (kinds.INT8, -100), (kinds.UINT16, 60000),
                        (kinds.INT16, -30000), (kinds.UINT32, 4000000000),
                        (kinds.INT32, -2000000000), (kinds.UINT64, 10000000000),
                        (kinds.INT64, -10000000000), (kinds.FLOAT32, 1.5), (kinds.FLOAT64, -0.1),
                        (kinds.BOOL, True)]:
        writer.add_key_value(f"test.{kind.name.lower()}", value, kind)
    writer.add_string("test.string", "zwei Wörter")
    writer.add_key_value("test.empty", "", kinds.STRING)
    writer.add_array("test.numbers", [3, -4, 5])
    writer.add_array("test.floats", [0.5, 0.25])
    writer.add_array("test.bools", [True, False])
    writer.add_array("test.strings", ["a", "", "c d"])


def add_tensors(writer, rng):
    """A tensor of every type: x[i] = (i - 2) / 2 where that is exact, blocks otherwise."""
    place = (np.arange(15).reshape(3, 5) - 2) / 2
    writer.add_tensor("F64", place.astype(np.float64))
    writer.add_tensor("F32", place.astype(np.float32))
    writer.add_tensor("F16", place.astype(np.float16))
    writer.add_tensor("BF16", quants.quantize(place.astype(np.float32), T.BF16), raw_dtype=T.BF16)
    writer.add_tensor("I8", (2 * place).astype(np.int8))
    writer.add_tensor("I32", (2 * place).astype(np.int32))
    writer.add_tensor("I64", (2 * place).astype(np.int64))
    writer.add_tensor("three.dims", np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    for name in QUANTISED:
        block, size = {"Q8_0": (32, 34), "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22),
                       "Q5_1": (32, 24), "Q4_K": (256, 144), "Q5_K": (256, 176),
                       "Q6_K": (256, 210)}[name]
        data = rng.integers(0, 100, (2, size * (64 // block or 1)), np.uint8)
        writer.add_tensor(name, data, raw_dtype=T[name])


def write(path, fill, arch="test", **options):
    """One file, or the parts of a split one."""
    writer = GGUFWriter(path, arch, **options)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tiny(writer):
    """The file of which every truncation is tried."""
    writer.add_uint32("a", 7)
    writer.add_array("words", ["x", "yz"])
    writer.add_tensor("w", np.arange(3, dtype=np.float32))
    writer.add_tensor("q", np.zeros((2, 34), np.uint8), raw_dtype=T.Q8_0)


def adapter(writer):
    """What llama.cpp's converter makes of a LoRA adapter."""
    writer.add_type(GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.ones((2, 8), np.float32))
    writer.add_tensor("blk.0.attn_q.weight.lora_b", np.ones((8, 2), np.float32))


def main():
    """All files."""
    rng = np.random.default_rng(3)
    FOLDER.mkdir(parents=True, exist_ok=True)
    CORPUS.mkdir(parents=True, exist_ok=True)
    write(FOLDER / "types.gguf", lambda w: (add_values(w), add_tensors(w, rng)))
    write(FOLDER / "tiny.gguf", tiny)
    write(FOLDER / "aligned.gguf", lambda w: (w.add_custom_alignment(128), tiny(w)))
    write(FOLDER / "split.gguf", lambda w: [w.add_tensor(n, np.full(2, i, np.float32))
                                            for i, n in enumerate("abc")], split_max_tensors=2)
    write(FOLDER / "adapter.gguf", adapter, arch="llama")
    version_2 = bytearray((FOLDER / "tiny.gguf").read_bytes())
    version_2[4] = 2
    (CORPUS / "version_2").write_bytes(version_2)
    for name in ["types", "tiny", "aligned", "adapter"]:
        (CORPUS / name).write_bytes((FOLDER / f"{name}.gguf").read_bytes())


if __name__ == "__main__":
    main()
