"""PyTorch's time for one training step of the U-Net of docs/MODEL.md section 2, encoder and decoder.

    python bench/race_unet.py --threads 2

Best eager practice: channels_last, fused AdamW, gradients set to None. Forward, mask loss, backward, AdamW; the
median of the timed steps after the warm-up, and the peak memory of the process, as JSON on stdout.
"""

import argparse
import json
import pathlib
import resource
import statistics
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import reference  # noqa: E402


def peak_mebibytes():
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fastest_adamw(model):
    """Fused where this PyTorch has it on the CPU, else foreach; also says which."""
    for how in ("fused", "foreach"):
        try:
            return reference.adamw(model, 1e-4, (0.9, 0.98), 1e-8, 0.05, **{how: True}), how
        except RuntimeError:
            continue
    return reference.adamw(model, 1e-4, (0.9, 0.98), 1e-8, 0.05), "plain"


def time_steps(step, warmup, repeats):
    """-> seconds of each timed call."""
    for _ in range(warmup):
        step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times


class Segmenter(torch.nn.Module):
    """The U-Net alone, skips unmodulated: [B,3,H,W] -> mask logits [B,H,W,M]."""

    def __init__(self, config):
        super().__init__()
        self.unet = reference.UNet(config)

    def forward(self, image):
        skips, mid = self.unet.encode(image)
        return self.unet.decode(skips, mid).permute(0, 2, 3, 1)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--base", type=int, default=32)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--groups", type=int, default=8)
    parser.add_argument("--masks", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def main():
    """Builds, times, prints."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    config = {"base": args.base, "norm_groups": args.groups, "masks": ["mask"] * args.masks}
    model = Segmenter(config).to(memory_format=torch.channels_last)
    image = torch.randn(args.batch, 3, args.size, args.size).to(memory_format=torch.channels_last)
    target = (torch.rand(args.batch, args.size, args.size, args.masks) > 0.9).float()
    weight = torch.ones(args.batch, args.masks)
    optimiser, how = fastest_adamw(model)

    def step():
        optimiser.zero_grad(set_to_none=True)
        loss = reference.mask_loss(model(image), target, weight)
        loss.backward()
        optimiser.step()

    times = time_steps(step, args.warmup, args.repeats)
    print(json.dumps({
        "what": "U-Net training step", "torch": torch.__version__, "threads": args.threads, "base": args.base,
        "size": args.size, "batch": args.batch, "parameters": sum(p.numel() for p in model.parameters()),
        "adamw": how, "seconds": statistics.median(times), "all_seconds": times, "peak_rss_mib": peak_mebibytes(),
    }))


if __name__ == "__main__":
    main()
