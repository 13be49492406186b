"""Writes tests/golden/efficientnet/expect.safetensors: what the five levels of EfficientNet-lite0 give for a picture, and
gradients, made by PyTorch with the network of bench/rival_lite0.py.

    python tools/golden_efficientnet.py [OUT_DIR]

3.4 million weights would be a large file, so they follow a formula that the test computes too: number i of parameter n is
hash(n, i) spread evenly over a range. Everything is computed in float64 from float32 numbers and rounded once.
"""

import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
from rival_lite0 import EfficientNetLite0  # noqa: E402

SIDE, LEVEL_ENDS = 32, {0: 1, 2: 2, 4: 3, 10: 4, 15: 5}


def numbers(index, count, low, high):
    """count float32 numbers in low..high of parameter number `index`."""
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32((index + 1) * 40503)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(2246822519)
        x ^= x >> np.uint32(13)
    unit = (x >> np.uint32(8)).astype(np.float64) / 16777216.0
    return torch.from_numpy((low + (high - low) * unit).astype(np.float32))


def convolutions(net):
    """(convolution, its norm) in the order in which the C model declares them."""
    pairs = [(net._conv_stem, net._bn0)]
    for block in net._blocks:
        if hasattr(block, "_expand_conv"):
            pairs.append((block._expand_conv, block._bn0))
        pairs += [(block._depthwise_conv, block._bn1), (block._project_conv, block._bn2)]
    return pairs


def with_batch_statistics(net, image):
    """Levels 1 to 3 of batch norm in training, and statistics of some norms' inputs. Deeper levels have too few pixels."""
    net.train()
    stored = {}
    for n in (0, 1, 9):
        def keep(_, args, n=n):
            stored[f"batch.{n}.mean"] = args[0].mean(dim=(0, 2, 3)).detach().float()
            stored[f"batch.{n}.var"] = args[0].var(dim=(0, 2, 3), unbiased=True).detach().float()
        convolutions(net)[n][1].register_forward_pre_hook(keep)
    x = net._bn0(net._conv_stem(image.permute(0, 3, 1, 2))).clamp(0, 6)
    for i, block in enumerate(net._blocks[:5]):
        x = block(x)
        if i in LEVEL_ENDS:
            stored[f"batch.level.{LEVEL_ENDS[i]}"] = x.permute(0, 2, 3, 1).detach().float().contiguous()
    return stored


def main():
    """Fills the net, runs it, writes the file."""
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden/efficientnet")
    net = EfficientNetLite0(2).eval()
    index = 0
    for conv, norm in convolutions(net):
        reach = float(np.float32(np.sqrt(6.0 / conv.weight[0].numel())))
        for tensor, low, high in [(conv.weight, -reach, reach), (norm.weight, 0.8, 1.2), (norm.bias, -0.2, 0.6),
                                  (norm.running_mean, -0.3, 0.3), (norm.running_var, 0.5, 1.5)]:
            tensor.data.copy_(numbers(index, tensor.numel(), low, high).reshape(tensor.shape))
            index += 1
    net = net.double()
    image = numbers(1000, 2 * SIDE * SIDE * 3, -1, 1).reshape(2, SIDE, SIDE, 3).double()
    x = net._bn0(net._conv_stem(image.permute(0, 3, 1, 2))).clamp(0, 6)
    levels, loss = {}, 0
    for i, block in enumerate(net._blocks):
        x = block(x)
        if i in LEVEL_ENDS:
            number = LEVEL_ENDS[i]
            levels[number] = x.permute(0, 2, 3, 1)
            want = numbers(2000 + number, x.numel(), -1, 1).double().reshape(levels[number].shape)
            loss = loss + (levels[number] * want).sum()
    loss.backward()
    stored = {f"level.{k}": v.detach().float().contiguous() for k, v in levels.items()}
    for n in (0, 1, 9, 24, 47):
        conv, norm = convolutions(net)[n]
        stored[f"grad.{n}.weight"] = conv.weight.grad.float().reshape(-1)[:2000].contiguous()
        stored[f"grad.{n}.norm.weight"] = norm.weight.grad.float().contiguous()
        stored[f"grad.{n}.norm.bias"] = norm.bias.grad.float().contiguous()
    stored.update(with_batch_statistics(net, image))
    out.mkdir(parents=True, exist_ok=True)
    save_file(stored, out / "expect.safetensors")


if __name__ == "__main__":
    main()
