"""PyTorch's time for one training step of the whole model (tools/reference.py) on a preset.

    python bench/race_small.py --config presets/small.json --batch 8 --threads 2

Best eager practice: one batched forward pass, text padded to the longest case, all labels scored at once as a
prefix tree behind the prompt (an attention mask does it), lm_head only on the rows that predict something,
scaled_dot_product_attention, channels_last convolutions, fused AdamW. Class and language loss; with --masks also the
mask loss. JSON on stdout.

--check compares the batched scores and loss with the reference's one-label-at-a-time scores first. --tiles says what
the vision tower does about the unused tile slots: `all` computes every one (as transformers does), `dedup` one for all
of them with the logarithm of their number added to its scores (the same result), `one` none (another result).
"""

import argparse
import copy
import json
import math
import statistics

import torch

from race_unet import fastest_adamw, peak_mebibytes, reference, time_steps

LABELS = ["normal", "dr", "glaucoma", "amd", "cataract", "myopia"]
TEXTS = [
    "69-year-old female. Left eye. Fellow eye: normal fundus.",
    "57-year-old male. Right eye. Fellow eye: drusen.",
    "44-year-old male. Left eye. Fellow eye: moderate non proliferative retinopathy.",
    "72-year-old female. Right eye. Fellow eye: cataract.",
]


class LabelTree:
    """All labels as a prefix tree of fed tokens, and where each label's tokens are predicted."""

    def __init__(self, labels):
        node_of, self.tokens, self.depth, self.parent = {}, [], [], []
        self.source, self.target, self.offset = [], [], [0]
        for label in labels:
            ids = reference.label_tokens(label)
            for j, token in enumerate(ids):
                self.source.append(node_of.get(tuple(ids[:j]), -1) if j else -1)
                self.target.append(token)
                key = tuple(ids[: j + 1])
                if j + 1 < len(ids) and key not in node_of:
                    node_of[key] = len(self.tokens)
                    self.tokens.append(token)
                    self.depth.append(j)
                    self.parent.append(self.source[-1])
            self.offset.append(len(self.target))

    def mask(self):
        """[nodes,nodes] bool: row sees column (ancestors and itself)."""
        n = len(self.tokens)
        see = torch.eye(n, dtype=torch.bool)
        for i in range(n):
            if self.parent[i] >= 0:
                see[i] |= see[self.parent[i]]
        return see


class PaddedText:
    """B prompts with the tree behind each, padded to one length T."""

    def __init__(self, config, texts, tree, dtype):
        prompts = [reference.prompt_tokens(config, t) for t in texts]
        nodes, longest = len(tree.tokens), max(map(len, prompts))
        b, t = len(prompts), longest + nodes
        self.ids = torch.full((b, t), reference.SPECIAL["<|finetune_right_pad_id|>"])
        self.positions = torch.zeros(b, t, dtype=torch.long)
        self.prompt_mask = torch.zeros(b, t, dtype=torch.long)
        self.rows = torch.zeros(b, len(tree.source), dtype=torch.long)
        see = torch.eye(t, dtype=torch.bool).repeat(b, 1, 1)
        source, depth, inside = torch.tensor(tree.source), torch.tensor(tree.depth), tree.mask()
        for i, prompt in enumerate(prompts):
            n = len(prompt)
            self.ids[i, : n + nodes] = torch.tensor(prompt + tree.tokens)
            self.positions[i, :n] = torch.arange(n)
            self.positions[i, n : n + nodes] = n + depth
            self.prompt_mask[i, :n] = 1
            self.rows[i] = torch.where(source < 0, n - 1, n + source)
            see[i, :n, :n] = torch.ones(n, n).tril().bool()
            see[i, n : n + nodes, :n] = True
            see[i, n : n + nodes, n : n + nodes] = inside
        self.bias = torch.zeros(b, 1, t, t, dtype=dtype).masked_fill(
            ~see[:, None], reference.lowest(dtype)
        )


def batched_losses(model, batch, text, tree):
    """-> dict with scores [B,K], class, lm, total and, with masks in the batch, mask."""
    answer, train = model.config["answer_config"], model.config["train_config"]
    skips, mid, states = model.see(batch["image_unet"], batch["image_vision"], sdpa=True)
    image = model.image_keys(states, text.ids)
    run = reference.FusionRun(model.mdf, skips, text.prompt_mask)
    h = model.model.language_model(text.ids, text.positions, text.bias, image, run, sdpa=True)
    picked = h.gather(1, text.rows[..., None].expand(-1, -1, h.shape[2]))
    logits = model.lm_head(picked).log_softmax(-1)
    target = torch.tensor(tree.target).expand(len(logits), -1)
    logp = logits.gather(2, target[..., None])[..., 0]
    parts = [logp[:, a:b] for a, b in zip(tree.offset[:-1], tree.offset[1:])]
    reduce = torch.sum if answer["normalise"] == "sum" else torch.mean
    out = {"scores": answer["scale"] * torch.stack([reduce(p, dim=1) for p in parts], dim=1)}
    out["class"] = reference.class_loss(out["scores"], batch["labels"], train["label_smoothing"])
    truth = torch.cat([parts[k][i] for i, k in enumerate(batch["labels"].tolist())])
    out["lm"] = -truth.mean()
    out["total"] = out["class"] + train["lm_weight"] * out["lm"]
    if batch["mask_weight"] is not None:
        masks = model.unet.decode(run.modulated, mid).permute(0, 2, 3, 1)
        out["mask"] = reference.mask_loss(masks, batch["mask_target"], batch["mask_weight"])
        out["total"] = out["total"] + train["mask_weight"] * out["mask"]
    return out


def make_batch(config, size, masks):
    """Random pictures, ODIR-like sentences."""
    side, tile = config["unet_config"]["image_size"], config["vision_config"]["image_size"]
    channels = reference.mask_count(config["unet_config"])
    labels = config["answer_config"]["labels"]
    batch = {
        "image_unet": torch.randn(size, side, side, 3),
        "image_vision": torch.randn(size, tile, tile, 3),
        "texts": [TEXTS[i % len(TEXTS)].encode() for i in range(size)],
        "labels": torch.arange(size) % len(labels),
        "mask_target": None, "mask_weight": None,
    }
    if masks:
        batch["mask_target"] = (torch.rand(size, side, side, channels) > 0.9).float()
        batch["mask_weight"] = torch.ones(size, channels)
    return batch


class CountedTower(reference.VisionTower):
    """A tower of two slots; the second stands for all `unused` ones."""

    unused = 1

    def mask(self, ids, padded, dtype):
        bias = super().mask(ids, padded, dtype)
        return bias + math.log(self.unused) * (torch.arange(bias.shape[3]) >= padded).to(dtype)


class CountedModel(reference.MdfMllm):
    """The whole model with a CountedTower."""

    def image_keys(self, states, ids):
        tower, keys = self.model.vision_model, super().image_keys(states, ids)
        spare = (torch.arange(states.shape[1]) >= tower.patches).to(states.dtype)
        keys.bias = keys.bias + math.log(tower.unused) * spare
        return keys


def deduplicated(model):
    """The same weights in a model that computes one of the unused tile slots."""
    config = copy.deepcopy(model.config)
    config["vision_config"]["max_num_tiles"] = 2
    twin = CountedModel(config)
    tower = twin.model.vision_model
    tower.__class__ = CountedTower
    tower.unused = model.config["vision_config"]["max_num_tiles"] - 1
    weights = model.state_dict()
    for name, p in twin.named_parameters():
        x = weights[name]
        if x.shape != p.shape:  # a tile table: [ids, slots * numbers]; id 1, slot 0 stay where they were
            slots = tower.unused + 1
            x = x.view(len(x), slots, -1)[: len(p), :2].flatten(1)
        p.data.copy_(x)
    return twin


def check(model, batch, text, tree, truth):
    """Raises unless the batched pass gives the scores and the loss of the reference model `truth`."""
    with torch.no_grad():
        got = batched_losses(model, batch, text, tree)
        want = reference.batch_losses(truth, batch)
    off = (got["scores"] - want["scores"]).abs().max().item()
    loss = (got["total"] - want["total"]).abs().item()
    # Scores are tens; float32 sums in another order (SDPA, batched products) differ by some 1e-6 of that.
    if off > 1e-3 or loss > 1e-3:
        raise SystemExit(f"batched scores differ from the reference by {off}, the loss by {loss}")
    return off


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--masks", action="store_true", help="train the decoder too")
    parser.add_argument("--tiles", choices=("all", "dedup", "one"), default="all")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def main():
    """Builds, times, prints."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    config = reference.load_config(args.config)
    config["answer_config"]["labels"] = config["answer_config"]["labels"] or LABELS
    if args.tiles == "one":
        config["vision_config"]["max_num_tiles"] = 1
    if not args.masks:
        config["unet_config"]["masks"] = []
    truth = reference.MdfMllm(config)
    reference.randomise(truth, 1)
    many = config["vision_config"]["max_num_tiles"] > 1
    model = deduplicated(truth) if args.tiles == "dedup" and many else truth
    model.unet.to(memory_format=torch.channels_last)
    batch = make_batch(config, args.batch, args.masks)
    tree = LabelTree(config["answer_config"]["labels"])
    text = PaddedText(config, batch["texts"], tree, torch.float32)
    result = {"what": "training step of the whole model", "config": args.config}
    if args.check:
        result["largest_score_difference"] = check(model, batch, text, tree, truth)
    del truth
    optimiser, how = fastest_adamw(model)

    def step():
        optimiser.zero_grad(set_to_none=True)
        batched_losses(model, batch, text, tree)["total"].backward()
        optimiser.step()

    times = time_steps(step, args.warmup, args.repeats)
    result.update({
        "torch": torch.__version__, "threads": args.threads, "batch": args.batch, "masks": args.masks,
        "tiles": args.tiles, "tile_slots": model.model.vision_model.tiles, "text_length": text.ids.shape[1],
        "parameters": sum(p.numel() for p in model.parameters()), "adamw": how,
        "seconds": statistics.median(times), "all_seconds": times, "peak_rss_mib": peak_mebibytes(),
    })
    print(json.dumps(result))


if __name__ == "__main__":
    main()
