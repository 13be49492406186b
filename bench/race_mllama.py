"""One forward pass of Llama 3.2 Vision in float32, transformers against mdf, in turns.

    python bench/race_mllama.py --model DIR --mdf build/mdf --threads 2

DIR: of make_mllama.py. A picture of one tile and one of four, each with a prompt of 120 tokens; the pass ends with the logits of
the last token and leaves the keys and values of all tokens, as before an answer. transformers stays loaded and is warm; its scaled_dot_product_attention is the faster one here (--attention
fastest tries both). mdf reads the same weights in a process of its own each time, of which the reading of files is not counted. First the logits of both are compared.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy
import torch
from transformers import MllamaForConditionalGeneration

PROMPT, IMAGE_AT, SIDE, SLOTS = 120, 5, 560, 4
ASPECT = {1: 1, 4: 6}  # tiles: id of the grid nearest to a square


def inputs(model, tiles):
    """What mdf bench --model feeds, in transformers' shapes."""
    numbers = numpy.arange(3 * tiles * SIDE * SIDE, dtype=numpy.int64) % 251
    picture = (numbers.astype(numpy.float32) / 125 - 1).reshape(tiles, SIDE, SIDE, 3).transpose(0, 3, 1, 2)
    pixels = numpy.zeros((1, 1, SLOTS, 3, SIDE, SIDE), numpy.float32)
    pixels[0, 0, :tiles] = picture
    vocabulary = model.config.text_config.vocab_size
    ids = torch.tensor([[(31 * i + 3) % vocabulary for i in range(PROMPT)]])
    ids[0, IMAGE_AT] = model.config.image_token_index
    used = (torch.arange(SLOTS) < tiles).long()
    cross = torch.zeros(1, PROMPT, 1, SLOTS, dtype=torch.long)
    cross[0, IMAGE_AT:, 0] = used
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": torch.from_numpy(pixels),
            "aspect_ratio_ids": torch.tensor([[ASPECT[tiles]]]), "aspect_ratio_mask": used.view(1, 1, SLOTS),
            "cross_attention_mask": cross}


def torch_pass(model, batch):
    """-> seconds, logits."""
    start = time.perf_counter()
    with torch.inference_mode():
        logits = model(**batch, use_cache=True, logits_to_keep=1).logits
    return time.perf_counter() - start, logits[0, -1].numpy()


def mdf_pass(args, folder, tiles, repeat):
    """-> seconds, logits."""
    with tempfile.NamedTemporaryFile() as logits:
        out = subprocess.run(
            [args.mdf, "bench", "--quiet", "--json", "--threads", str(args.threads), "--model", folder, "--tiles",
             str(tiles), "--prompt", str(PROMPT), "--tokens", "0", "--repeat", str(repeat), "--logits", logits.name, "--force"],
            check=True, capture_output=True, text=True).stdout
        row = next(r for r in json.loads(out)["operations"] if r["what"] == "picture and prompt")
        return row["ms"] / 1e3, numpy.fromfile(logits.name, numpy.float32)


def difference(ours, theirs):
    """Root of the mean squared difference as a share of the logits' deviation."""
    return float(numpy.sqrt(((ours - theirs) ** 2).mean()) / theirs.std())


def load(args, folder):
    """The model with the attention that is asked for, or that takes less time; warm."""
    best = None
    for attention in ("sdpa", "eager") if args.attention == "fastest" else (args.attention,):
        model = MllamaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)
        model.eval()
        batch = inputs(model, 1)
        torch_pass(model, batch)
        seconds = torch_pass(model, batch)[0]
        print(f"transformers, {attention}: {seconds:.2f} s", file=sys.stderr)
        if best is None or seconds < best[0]:
            best = (seconds, attention, model)
        del model
    return best[2]


def main():
    """Races, prints one line per run for ratios.py."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--mdf", default="build/mdf")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--attention", default="sdpa", choices=("sdpa", "eager", "fastest"))
    parser.add_argument("--repeat", type=int, default=1, help="passes in each of mdf's processes; above 1, one more goes before")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folders = {"mdf plain": f"{args.model}.plain", "mdf": f"{args.model}.mdf"}
    model = load(args, args.model)
    batches = {tiles: inputs(model, tiles) for tiles in (1, 4)}
    for tiles, batch in batches.items():
        theirs = torch_pass(model, batch)[1]
        for who, folder in folders.items():
            off = difference(mdf_pass(args, folder, tiles, 1)[1], theirs)
            print(f"{tiles} tiles: logits of {who} differ by {off:.1e} of their deviation", file=sys.stderr)
            if not off < 1e-3:
                sys.exit("these are not the same model's logits")
    for _ in range(args.rounds):
        for tiles, batch in batches.items():
            row = f"{tiles} of {SLOTS} tiles, {PROMPT} tokens"
            print(f"{row}\ttransformers\t{torch_pass(model, batch)[0]}", flush=True)
            for who, folder in folders.items():
                print(f"{row}\t{who}\t{mdf_pass(args, folder, tiles, args.repeat)[0]}", flush=True)


if __name__ == "__main__":
    main()
