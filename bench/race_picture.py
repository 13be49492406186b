"""PyTorch's time for one training step of EfficientNet-lite0 with a classifier: the first stage of presets/small-lite0.json.

    python bench/race_picture.py --threads 2

Best eager practice: channels_last, fused AdamW, gradients set to None; batch norm with the batch's statistics, cross entropy
with label smoothing. The median of the timed steps after the warm-up, and the peak memory of the process, as JSON on stdout.
"""

import argparse
import json
import statistics

import torch
import torch.nn.functional as F
from race_unet import fastest_adamw, peak_mebibytes, time_steps
from rival_lite0 import EfficientNetLite0


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--classes", type=int, default=6)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def main():
    """Builds, times, prints."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    net = EfficientNetLite0(args.classes).to(memory_format=torch.channels_last).train()
    image = torch.rand(args.batch, 3, args.size, args.size).to(memory_format=torch.channels_last)
    label = torch.arange(args.batch) % args.classes
    optimiser, how = fastest_adamw(net)

    def step():
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(net(image), label, label_smoothing=0.1).backward()
        optimiser.step()

    times = time_steps(step, args.warmup, args.repeats)
    print(json.dumps({
        "what": "training step of EfficientNet-lite0", "torch": torch.__version__, "threads": args.threads,
        "size": args.size, "batch": args.batch, "parameters": sum(p.numel() for p in net.parameters()), "adamw": how,
        "seconds": statistics.median(times), "all_seconds": times, "peak_rss_mib": peak_mebibytes(),
    }))


if __name__ == "__main__":
    main()
