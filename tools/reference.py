"""MDF-MLLM in plain PyTorch: the reference that the C engine is compared with.

Follows docs/MODEL.md name by name, and Llama 3.2 Vision without any shortcut: every tile slot and every
padding token is computed, and each label is scored by a forward pass of its own. It therefore
checks the engine's deduplication and its label tree instead of repeating them.

Letters as in docs/MODEL.md: B cases, T text tokens, D text width, Dv vision width, P patches per tile + 1,
S tile slots, C channels, K keys. Pictures come in as [B,H,W,C], already normalised.
"""

import json
import math

import torch
import torch.nn.functional as F
from torch import nn

SPECIAL = {
    "<|begin_of_text|>": 256,
    "<|start_header_id|>": 257,
    "<|end_header_id|>": 258,
    "<|eot_id|>": 259,
    "<|finetune_right_pad_id|>": 260,
}
EXTRA_INPUT_IDS = 8  # rows of the embedding that lm_head does not have; the first is <|image|>


def load_config(path):
    """The config file as a dict."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


# ---------------------------------------------------------------------------------------------
# Shared pieces
# ---------------------------------------------------------------------------------------------


class RmsNorm(nn.Module):
    """x [.., C] / sqrt(mean(x^2) + eps) * weight."""

    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def attention(q, k, v, bias, sdpa=False):
    """q [B,heads,T,hd]; k, v [B,kv_heads,K,hd]; bias (added to the scores) broadcast to [B,1,T,K] or None.

    Returns [B,T,heads*hd]."""
    groups = q.shape[1] // k.shape[1]
    k = k.repeat_interleave(groups, dim=1)
    v = v.repeat_interleave(groups, dim=1)
    if sdpa:
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    else:
        scores = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5
        if bias is not None:
            scores = scores + bias
        y = torch.softmax(scores, dim=-1) @ v
    return y.transpose(1, 2).flatten(2)


def split_heads(x, heads):
    """[B,T,heads*hd] -> [B,heads,T,hd]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def lowest(dtype):
    """What stands for minus infinity in a mask."""
    return torch.finfo(dtype).min


# ---------------------------------------------------------------------------------------------
# U-Net
# ---------------------------------------------------------------------------------------------


class ConvBlock(nn.Module):
    """conv3x3 - GroupNorm - ReLU, twice: [B,Cin,H,W] -> [B,Cout,H,W]."""

    def __init__(self, cin, cout, groups):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(groups, cout, eps=1e-5)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(groups, cout, eps=1e-5)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(x)))


class UpBlock(ConvBlock):
    """One decoder level: below [B,2C,h,w] and skip [B,C,2h,2w] -> [B,C,2h,2w]."""

    def __init__(self, c, groups):
        super().__init__(2 * c, c, groups)
        self.up = nn.ConvTranspose2d(2 * c, c, 2, stride=2)

    def forward(self, below, skip):
        return super().forward(torch.cat([self.up(below), skip], dim=1))


def mask_count(unet_config):
    """How many masks a U-Net draws; older files have a number instead of the list."""
    return len(unet_config["masks"]) if "masks" in unet_config else unet_config["mask_channels"]


class UNet(nn.Module):
    """Four levels, a bottleneck and (with mask channels) a decoder."""

    LEVELS = (1, 2, 3, 4)

    def __init__(self, config):
        super().__init__()
        base, groups, masks = config["base"], config["norm_groups"], mask_count(config)
        self.channels = {l: base * 2 ** (l - 1) for l in self.LEVELS}
        sizes = [3] + [self.channels[l] for l in self.LEVELS]
        self.enc = nn.ModuleDict(
            {str(l): ConvBlock(sizes[l - 1], sizes[l], groups) for l in self.LEVELS}
        )
        self.mid = ConvBlock(sizes[4], base * 16, groups)
        self.has_decoder = masks > 0
        if self.has_decoder:
            self.dec = nn.ModuleDict({str(l): UpBlock(self.channels[l], groups) for l in self.LEVELS})
            self.head = nn.Conv2d(base, masks, 1)

    def encode(self, image):
        """image [B,3,H,W] -> ({level: [B,C_l,H_l,W_l]}, bottleneck)."""
        skips, x = {}, image
        for level in self.LEVELS:
            x = self.enc[str(level)](x if level == 1 else F.max_pool2d(x, 2))
            skips[level] = x
        return skips, self.mid(F.max_pool2d(x, 2))

    def decode(self, skips, mid):
        """-> mask logits [B,M,H,W]."""
        x = mid
        for level in reversed(self.LEVELS):
            x = self.dec[str(level)](x, skips[level])
        return self.head(x)


# ---------------------------------------------------------------------------------------------
# Vision tower
# ---------------------------------------------------------------------------------------------


def aspect_ratios(config):
    """The supported tile grids (rows, columns); id = place in the list + 1."""
    tiles = config["max_num_tiles"]
    every = [[a, b] for a in range(1, tiles + 1) for b in range(1, tiles + 1) if a * b <= tiles]
    return config.get("supported_aspect_ratios") or every


class TileEmbedding(nn.Module):
    """A gated table: one row per aspect ratio id, in it one vector per tile slot."""

    def __init__(self, ratios, tiles, width, used):
        super().__init__()
        self.embedding = nn.Embedding(ratios + 1, tiles * width)
        self.gate = nn.Parameter(torch.zeros(1))
        self.tiles, self.used = tiles, used

    def forward(self, h, ids):
        """h [N,S,P,Dv] plus this id's row."""
        row = self.embedding(ids).view(len(ids), self.tiles, 1, -1) * self.used(ids, h)
        return h + torch.tanh(self.gate) * row


class PositionEmbedding(nn.Module):
    """(1 - tanh g) * position + tanh g * position in its tile."""

    def __init__(self, ratios, tiles, patches, width, used):
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(1))
        self.embedding = nn.Parameter(torch.randn(patches, width) * width**-0.5)
        self.tile_embedding = nn.Embedding(ratios + 1, tiles * patches * width)
        self.tiles, self.used = tiles, used

    def forward(self, h, ids):
        """h [N,S,P,Dv]."""
        gate = torch.tanh(self.gate)
        h = h + (1 - gate) * self.embedding
        row = self.tile_embedding(ids).view(len(ids), self.tiles, *self.embedding.shape)
        return h + gate * (row * self.used(ids, h))


class VisionAttention(nn.Module):
    """Multi-head attention without biases."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )

    def forward(self, x, bias, sdpa):
        q, k, v = (split_heads(p(x), self.heads) for p in (self.q_proj, self.k_proj, self.v_proj))
        return self.o_proj(attention(q, k, v, bias, sdpa))


class VisionMlp(nn.Module):
    """fc2(gelu(fc1(x))), the exact (erf) gelu."""

    def __init__(self, width, inner):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class VisionLayer(nn.Module):
    """Pre-norm transformer layer; the global ones gate both branches."""

    def __init__(self, config, gated):
        super().__init__()
        width, eps = config["hidden_size"], config["norm_eps"]
        self.input_layernorm = nn.LayerNorm(width, eps=eps)
        self.self_attn = VisionAttention(width, config["attention_heads"])
        self.post_attention_layernorm = nn.LayerNorm(width, eps=eps)
        self.mlp = VisionMlp(width, config["intermediate_size"])
        if gated:
            self.gate_attn = nn.Parameter(torch.full((1,), math.pi / 4))
            self.gate_ffn = nn.Parameter(torch.full((1,), math.pi / 4))
        self.gated = gated

    def forward(self, x, bias, sdpa):
        a = self.self_attn(self.input_layernorm(x), bias, sdpa)
        x = x + (torch.tanh(self.gate_attn) * a if self.gated else a)
        m = self.mlp(self.post_attention_layernorm(x))
        return x + (torch.tanh(self.gate_ffn) * m if self.gated else m)


class VisionEncoder(nn.Module):
    """A list of layers under the name that the weights use."""

    def __init__(self, config, count, gated):
        super().__init__()
        self.layers = nn.ModuleList(VisionLayer(config, gated) for _ in range(count))


class VisionTower(nn.Module):
    """pixels [N,S,3,t,t] -> features [N,S,P,Dv*(1+k)]."""

    def __init__(self, config):
        super().__init__()
        width, tiles, patch = config["hidden_size"], config["max_num_tiles"], config["patch_size"]
        self.ratios = aspect_ratios(config)
        self.taken = config["intermediate_layers_indices"]
        self.patches = (config["image_size"] // patch) ** 2 + 1
        self.tiles = tiles
        self.patch_embedding = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.pre_tile_positional_embedding = TileEmbedding(
            len(self.ratios), tiles, width, self.used_slots
        )
        self.gated_positional_embedding = PositionEmbedding(
            len(self.ratios), tiles, self.patches, width, self.used_slots
        )
        self.layernorm_pre = nn.LayerNorm(width, eps=1e-5)
        self.transformer = VisionEncoder(config, config["num_hidden_layers"], False)
        self.layernorm_post = nn.LayerNorm(width, eps=1e-5)
        self.post_tile_positional_embedding = TileEmbedding(
            len(self.ratios), tiles, width, self.used_slots
        )
        self.global_transformer = VisionEncoder(config, config["num_global_layers"], True)

    def tile_mask(self, ids):
        """[N,S] of 0/1: which slots hold a tile."""
        counts = torch.tensor([0] + [a * b for a, b in self.ratios])[ids]
        return (torch.arange(self.tiles)[None, :] < counts[:, None]).long()

    def used_slots(self, ids, like):
        """[N,S,1,1]: the embeddings of unused slots are zero and stay zero in training."""
        return self.tile_mask(ids)[:, :, None, None].to(like.dtype)

    def mask(self, ids, padded, dtype):
        """[N,1,L,L] added to the scores: forbidden where query and key are both invalid."""
        valid = torch.zeros(len(ids), self.tiles, padded, dtype=dtype)
        valid[:, :, : self.patches] = self.tile_mask(ids)[:, :, None].to(dtype)
        invalid = 1 - valid.flatten(1)
        return (invalid[:, :, None] * invalid[:, None, :] * lowest(dtype))[:, None]

    def embed(self, pixels, ids):
        """-> [N,S,P,Dv] before padding."""
        n = pixels.shape[0]
        h = self.patch_embedding(pixels.flatten(0, 1)).flatten(2).transpose(1, 2)
        h = self.pre_tile_positional_embedding(h.unflatten(0, (n, self.tiles)), ids)
        first = self.class_embedding.expand(n, self.tiles, 1, -1)
        h = self.gated_positional_embedding(torch.cat([first, h], dim=2), ids)
        return self.layernorm_pre(h)

    def forward(self, pixels, ids, sdpa=False):
        """ids [N]: aspect ratio ids."""
        h = self.embed(pixels, ids)
        h = F.pad(h, (0, 0, 0, -self.patches % 8))
        padded = h.shape[2]
        bias = self.mask(ids, padded, h.dtype)
        h, states = h.flatten(1, 2), {}
        for i, layer in enumerate(self.transformer.layers):
            states[i] = h
            h = layer(h, bias, sdpa)
        states[len(self.transformer.layers)] = h
        h = self.layernorm_post(h).unflatten(1, (self.tiles, padded))
        h = self.post_tile_positional_embedding(h, ids).flatten(1, 2)
        for layer in self.global_transformer.layers:
            h = layer(h, bias, sdpa)
        taken = torch.stack([states[i] for i in self.taken], dim=-1).flatten(2)
        h = torch.cat([h, taken], dim=-1).unflatten(1, (self.tiles, padded))
        return h[:, :, : self.patches]


# ---------------------------------------------------------------------------------------------
# Text model
# ---------------------------------------------------------------------------------------------


def rope_inverse_frequencies(config):
    """[hd/2], float32 numbers; with Llama 3's scaling if rope_scaling asks for it."""
    dim = config["hidden_size"] // config["num_attention_heads"]
    base = config["rope_theta"]
    freq = [1.0 / base ** (2 * i / dim) for i in range(dim // 2)]
    scaling = config.get("rope_scaling")
    if scaling:
        freq = [llama3_frequency(f, scaling) for f in freq]
    return torch.tensor(freq, dtype=torch.float32)


def llama3_frequency(f, scaling):
    """Long wavelengths are stretched by `factor`, short ones kept, those between blended."""
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    old, factor = scaling["original_max_position_embeddings"], scaling["factor"]
    wavelength = 2 * math.pi / f
    if wavelength > old / low:
        return f / factor
    if wavelength < old / high:
        return f
    s = (old / wavelength - low) / (high - low)
    return (1 - s) * f / factor + s * f


def rotate(x, angle):
    """x [B,heads,T,hd], angle [B,T,hd/2]: pairs are (i, i + hd/2)."""
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class TextMlp(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, config):
        super().__init__()
        width, inner = config["hidden_size"], config["intermediate_size"]
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class TextAttention(nn.Module):
    """Grouped-query attention; crossing: keys from elsewhere, per-head norms, no RoPE."""

    def __init__(self, config, crossing):
        super().__init__()
        width, self.heads = config["hidden_size"], config["num_attention_heads"]
        self.kv_heads, hd = config["num_key_value_heads"], width // self.heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, self.kv_heads * hd, bias=False)
        self.v_proj = nn.Linear(width, self.kv_heads * hd, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)
        if crossing:
            self.q_norm = RmsNorm(hd, config["rms_norm_eps"])
            self.k_norm = RmsNorm(hd, config["rms_norm_eps"])
        self.crossing = crossing

    def forward(self, x, source, bias, angle, sdpa):
        """x [B,T,D], source [B,K,D] (x itself unless crossing), angle [B,T,hd/2] or None."""
        q = split_heads(self.q_proj(x), self.heads)
        k = split_heads(self.k_proj(source), self.kv_heads)
        v = split_heads(self.v_proj(source), self.kv_heads)
        if self.crossing:
            q, k = self.q_norm(q), self.k_norm(k)
        else:
            q, k = rotate(q, angle), rotate(k, angle)
        return self.o_proj(attention(q, k, v, bias, sdpa))


class SelfLayer(nn.Module):
    """A Llama decoder layer."""

    def __init__(self, config):
        super().__init__()
        width, eps = config["hidden_size"], config["rms_norm_eps"]
        self.input_layernorm = RmsNorm(width, eps)
        self.self_attn = TextAttention(config, crossing=False)
        self.post_attention_layernorm = RmsNorm(width, eps)
        self.mlp = TextMlp(config)

    def forward(self, h, bias, angle, sdpa):
        x = self.input_layernorm(h)
        h = h + self.self_attn(x, x, bias, angle, sdpa)
        return h + self.mlp(self.post_attention_layernorm(h))


class CrossLayer(nn.Module):
    """A gated cross-attention layer of Llama 3.2 Vision, with the fusion between its two halves."""

    def __init__(self, config):
        super().__init__()
        width, eps = config["hidden_size"], config["rms_norm_eps"]
        self.input_layernorm = RmsNorm(width, eps)
        self.cross_attn = TextAttention(config, crossing=True)
        self.cross_attn_attn_gate = nn.Parameter(torch.zeros(1))
        self.post_attention_layernorm = RmsNorm(width, eps)
        self.mlp = TextMlp(config)
        self.cross_attn_mlp_gate = nn.Parameter(torch.zeros(1))

    def forward(self, h, image, fuse, sdpa):
        """image: an ImageKeys; fuse: None or the FusionStep of this layer."""
        keys, bias = image.states, image.bias
        if fuse is not None:
            keys, bias = fuse.extend(h, keys, bias)
        a = self.cross_attn(self.input_layernorm(h), keys, bias, None, sdpa)
        h = h + torch.tanh(self.cross_attn_attn_gate) * a
        if fuse is not None:
            h = fuse.branch(h, sdpa)
        m = self.mlp(self.post_attention_layernorm(h)) * image.row_mask[..., None]
        return h + torch.tanh(self.cross_attn_mlp_gate) * m


class ImageKeys:
    """What a text row may see of the picture: states [B,K,D], bias [B,1,T,K], row_mask [B,T]."""

    def __init__(self, states, allowed):
        """allowed [B,T,K] of 0/1; a row that may see nothing sees everything, but loses its MLP."""
        dtype = states.dtype
        self.states = states
        self.row_mask = allowed.any(dim=-1).to(dtype)
        self.bias = ((1 - allowed.to(dtype)) * lowest(dtype) * self.row_mask[..., None])[:, None]


class TextModel(nn.Module):
    """ids [B,T] -> normalised hidden states [B,T,D]."""

    def __init__(self, config):
        super().__init__()
        width, eps = config["hidden_size"], config["rms_norm_eps"]
        self.crossing = set(config["cross_attention_layers"])
        self.embed_tokens = nn.Embedding(config["vocab_size"] + EXTRA_INPUT_IDS, width)
        self.layers = nn.ModuleList(
            CrossLayer(config) if i in self.crossing else SelfLayer(config)
            for i in range(config["num_hidden_layers"])
        )
        self.norm = RmsNorm(width, eps)
        self.inv_freq = rope_inverse_frequencies(config)

    def forward(self, ids, positions, bias, image=None, fusion=None, sdpa=False, trace=None):
        """positions [B,T]; bias [B,1,T,T]; image: ImageKeys or None (crossing layers are skipped);
        fusion: FusionRun or None; trace: a list that receives the states after every layer."""
        h = self.embed_tokens(ids)
        angle = positions[..., None].to(h.dtype) * self.inv_freq.to(h.dtype)
        for i, layer in enumerate(self.layers):
            if i not in self.crossing:
                h = layer(h, bias, angle, sdpa)
            elif image is not None:
                h = layer(h, image, fusion.at(i) if fusion else None, sdpa)
            if trace is not None:
                trace.append(h)
        return self.norm(h)


# ---------------------------------------------------------------------------------------------
# Fusion
# ---------------------------------------------------------------------------------------------


class FilmNet(nn.Module):
    """gelu MLP that makes gamma | beta from a condition [B, cond] -> [B, 2*out]."""

    def __init__(self, cond, hidden, out):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(cond, hidden), nn.Linear(hidden, 2 * out)

    def forward(self, c):
        return self.fc2(F.gelu(self.fc1(c))).chunk(2, dim=-1)


class FusionLevel(nn.Module):
    """What belongs to a U-Net level: FiLM, patch projection, embeddings."""

    def __init__(self, channels, width, config):
        super().__init__()
        cells, grid, direction = config["cells"], config["grid"], config["film_direction"]
        if direction == "text_to_unet":
            self.film = FilmNet(width, config["film_hidden"], channels)
        elif direction == "unet_to_text":
            self.film = FilmNet(channels, config["film_hidden"], width)
        self.proj = nn.Linear(cells * cells * channels, width)
        self.norm = RmsNorm(width, 1e-5)
        self.level_embedding = nn.Parameter(torch.zeros(width))
        self.position_embedding = nn.Parameter(torch.zeros(grid * grid, width))


class FusionBlock(nn.Module):
    """The gated cross-attention to one level's patches."""

    def __init__(self, config):
        super().__init__()
        width, self.heads = config["hidden_size"], config["num_attention_heads"]
        self.kv_heads, hd, eps = config["num_key_value_heads"], width // self.heads, config["rms_norm_eps"]
        self.input_layernorm = RmsNorm(width, eps)
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, self.kv_heads * hd, bias=False)
        self.v_proj = nn.Linear(width, self.kv_heads * hd, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)
        self.q_norm, self.k_norm = RmsNorm(hd, eps), RmsNorm(hd, eps)
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, h, u, film, sdpa):
        """h [B,T,D], u [B,g*g,D]; film (gamma, beta) [B,D] for the query input, or None."""
        x = self.input_layernorm(h)
        if film is not None:
            x = (1 + film[0][:, None]) * x + film[1][:, None]
        q = self.q_norm(split_heads(self.q_proj(x), self.heads))
        k = self.k_norm(split_heads(self.k_proj(u), self.kv_heads))
        v = split_heads(self.v_proj(u), self.kv_heads)
        return h + torch.tanh(self.gate) * self.o_proj(attention(q, k, v, None, sdpa))


class Fusion(nn.Module):
    """Parameters of the fusion (mdf.*) and the arithmetic of one level."""

    def __init__(self, config):
        super().__init__()
        fusion, text, unet = config["fusion_config"], config["text_config"], config["unet_config"]
        self.map, self.grid, self.cells = fusion["map"], fusion["grid"], fusion["cells"]
        self.attend, self.direction = fusion["attend"], fusion["film_direction"]
        self.groups = unet["norm_groups"]
        self.level = nn.ModuleDict()
        for level in sorted({level for _, level in self.map}):
            channels = unet["base"] * 2 ** (level - 1)
            self.level[str(level)] = FusionLevel(channels, text["hidden_size"], fusion)
        self.block = nn.ModuleList()
        if self.attend == "branch":
            self.block.extend(FusionBlock(text) for _ in self.map)
        if self.attend == "concat" and self.direction == "unet_to_text":
            raise ValueError("unet_to_text needs a branch: with concat there is no query input of its own")

    def normalise(self, skip):
        """skip [B,C,H,W] -> GroupNorm without an affine part."""
        return F.group_norm(skip, self.groups, eps=1e-5)

    def cut(self, picture):
        """[B,C,H,W] -> [B, g*g, q*q*C]: averaged cells, row-major, channels last."""
        g, q = self.grid, self.cells
        cells = F.adaptive_avg_pool2d(picture, g * q)
        cells = cells.unflatten(3, (g, q)).unflatten(2, (g, q))  # B, C, gy, qy, gx, qx
        return cells.permute(0, 2, 4, 3, 5, 1).reshape(len(picture), g * g, -1)

    def project(self, level, features):
        """[B,g*g,q*q*C] -> u [B,g*g,D]."""
        part = self.level[str(level)]
        return part.norm(part.proj(features)) + part.level_embedding + part.position_embedding


class FusionRun:
    """One forward pass: the pictures' features, and what FiLM did to them."""

    def __init__(self, net, skips, prompt_mask):
        """skips {level: [B,C,H,W]}; prompt_mask [B,T] of 0/1: the rows that FiLM's condition averages."""
        self.net, self.prompt = net, prompt_mask
        self.modulated = dict(skips)
        self.normal = {int(l): net.normalise(skips[int(l)]) for l in net.level}

    def at(self, layer):
        """The part of this run that concerns one layer."""
        entries = [(i, level) for i, (at, level) in enumerate(self.net.map) if at == layer]
        return FusionStep(self, entries) if entries else None

    def condition(self, h):
        """Mean of h [B,T,D] over the prompt's rows -> [B,D]."""
        weight = self.prompt.to(h.dtype)
        return (h * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)

    def tokens(self, level, h):
        """-> u [B,g*g,D] of this level, given the current hidden states."""
        picture = self.normal[level]
        if self.net.direction == "text_to_unet":
            gamma, beta = self.net.level[str(level)].film(self.condition(h))
            picture = (1 + gamma[..., None, None]) * picture + beta[..., None, None]
            self.modulated[level] = picture
        return self.net.project(level, self.net.cut(picture))

    def query_film(self, level):
        """(gamma, beta) [B,D] for the text's side, or None."""
        if self.net.direction != "unet_to_text":
            return None
        return self.net.level[str(level)].film(self.normal[level].mean(dim=(2, 3)))


class FusionStep:
    """The map entries of one layer, in the map's order."""

    def __init__(self, run, entries):
        self.run, self.entries = run, entries

    def extend(self, h, keys, bias):
        """concat: the patches join the image's keys; every row sees them."""
        if self.run.net.attend != "concat":
            return keys, bias
        u = torch.cat([self.run.tokens(level, h) for _, level in self.entries], dim=1)
        seen = torch.zeros(*bias.shape[:3], u.shape[1], dtype=bias.dtype)
        return torch.cat([keys, u], dim=1), torch.cat([bias, seen], dim=3)

    def branch(self, h, sdpa):
        """branch: one gated cross-attention per entry."""
        if self.run.net.attend != "branch":
            return h
        for i, level in self.entries:
            u, film = self.run.tokens(level, h), self.run.query_film(level)
            h = self.run.net.block[i](h, u, film, sdpa)
        return h


# ---------------------------------------------------------------------------------------------
# The whole model
# ---------------------------------------------------------------------------------------------


class Mllama(nn.Module):
    """The parts that Hugging Face's names put under `model.`."""

    def __init__(self, config):
        super().__init__()
        vision, width = config["vision_config"], config["text_config"]["hidden_size"]
        features = vision["hidden_size"] * (1 + len(vision["intermediate_layers_indices"]))
        self.vision_model = VisionTower(vision)
        self.multi_modal_projector = nn.Linear(features, width)
        self.language_model = TextModel(config["text_config"])


class MdfMllm(nn.Module):
    """A photograph and a sentence in, label scores and masks out."""

    def __init__(self, config):
        super().__init__()
        text = config["text_config"]
        self.config = config
        self.unet = UNet(config["unet_config"])
        self.model = Mllama(config)
        self.lm_head = nn.Linear(text["hidden_size"], text["vocab_size"], bias=False)
        if text.get("tie_word_embeddings"):
            raise ValueError("tied embeddings are not part of this reference")
        self.mdf = Fusion(config)

    def see(self, image_unet, image_vision, sdpa=False):
        """image_unet [B,H,W,3], image_vision [B,t,t,3] -> (skips, mid, V [B,S*P,D])."""
        skips, mid = self.unet.encode(image_unet.permute(0, 3, 1, 2))
        tower = self.model.vision_model
        pixels = torch.zeros(len(image_vision), tower.tiles, 3, *image_vision.shape[1:3])
        pixels = pixels.to(image_vision.dtype)
        pixels[:, 0] = image_vision.permute(0, 3, 1, 2)
        ids = torch.ones(len(pixels), dtype=torch.long)
        features = tower(pixels, ids, sdpa).flatten(1, 2)
        return skips, mid, self.model.multi_modal_projector(features)

    def image_keys(self, states, ids):
        """states [B,S*P,D], ids [B,T] -> ImageKeys: one tile is real, rows before <|image|> leak."""
        tower = self.model.vision_model
        after = (ids == self.config["image_token_index"]).long().cumsum(1)[:, :, None]
        real = (torch.arange(tower.tiles * tower.patches) < tower.patches).long()
        return ImageKeys(states, after * real)

    def logits(self, ids, positions, bias, seen, prompt_mask, sdpa=False, trace=None):
        """seen: (skips, V) or None. -> (logits [B,T,vocab], FusionRun or None)."""
        image = run = None
        if seen is not None:
            image = self.image_keys(seen[1], ids)
            run = FusionRun(self.mdf, seen[0], prompt_mask)
        h = self.model.language_model(ids, positions, bias, image, run, sdpa, trace)
        return self.lm_head(h), run


# ---------------------------------------------------------------------------------------------
# Prompt, scores, loss: one case and one label at a time
# ---------------------------------------------------------------------------------------------


def prompt_tokens(config, text, with_image=True):
    """text: bytes (empty: the config's missing_text) -> list of ids."""
    text = text or config["answer_config"]["missing_text"].encode()
    start, end = SPECIAL["<|start_header_id|>"], SPECIAL["<|end_header_id|>"]
    image = [config["image_token_index"]] if with_image else []
    user = [SPECIAL["<|begin_of_text|>"], start, *b"user", end, *b"\n\n", *image, *text]
    return user + [SPECIAL["<|eot_id|>"], start, *b"assistant", end, *b"\n\n"]


def label_tokens(label):
    """A label's words and the end of turn -> list of ids."""
    return [*label.encode(), SPECIAL["<|eot_id|>"]]


def causal_bias(t, dtype):
    """[1,1,T,T]."""
    return torch.full((t, t), lowest(dtype), dtype=dtype).triu(1)[None, None]


def label_log_probs(model, prompt, label, seen, trace=None):
    """Log-probabilities of the label's tokens after the prompt: [len(label)], and the FusionRun.

    seen: (skips, V) of this one case, or None."""
    ids = torch.tensor([prompt + label[:-1]])
    mask = (torch.arange(ids.shape[1]) < len(prompt)).long()[None]
    bias = causal_bias(ids.shape[1], model.lm_head.weight.dtype)
    positions = torch.arange(ids.shape[1])[None]
    logits, run = model.logits(ids, positions, bias, seen, mask, trace=trace)
    rows = logits[0, len(prompt) - 1 :].log_softmax(-1)
    return rows.gather(1, torch.tensor(label)[:, None])[:, 0], run


def case_answers(model, prompt, seen, trace=None):
    """-> (scores [labels], list of every label's token log-probabilities, FusionRun)."""
    answer = model.config["answer_config"]
    reduce = torch.Tensor.sum if answer["normalise"] == "sum" else torch.Tensor.mean
    scores, tokens, run = [], [], None
    for i, label in enumerate(answer["labels"]):
        logp, run = label_log_probs(
            model, prompt, label_tokens(label), seen, trace if i == 0 else None
        )
        scores.append(answer["scale"] * reduce(logp))
        tokens.append(logp)
    return torch.stack(scores), tokens, run


def mask_loss(logits, target, weight):
    """logits, target [B,H,W,C], weight [B,C]: mean over existing masks of BCE + soft Dice loss."""
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=(1, 2))
    p = torch.sigmoid(logits)
    both, total = (p * target).sum(dim=(1, 2)), (p + target).sum(dim=(1, 2))
    dice = 1 - (2 * both + 1) / (total + 1)
    count = weight.sum()
    return ((bce + dice) * weight).sum() / count if count > 0 else logits.sum() * 0


def class_loss(scores, labels, smoothing):
    """scores [B,K], labels [B]: mean cross entropy with smoothed targets (1-s) onehot + s/K."""
    logp = scores.log_softmax(-1)
    onehot = F.one_hot(labels, scores.shape[1]).to(scores.dtype)
    target = (1 - smoothing) * onehot + smoothing / scores.shape[1]
    return -(target * logp).sum(-1).mean()


def batch_losses(model, batch):
    """batch: image_unet, image_vision (or None), texts (list of bytes), labels [B], mask_target, mask_weight
    (or None). Returns a dict: total, class, lm, mask, scores [B,K], and what was seen on the way."""
    train = model.config["train_config"]
    seen = None if batch["image_unet"] is None else model.see(batch["image_unet"], batch["image_vision"])
    scores, truth, modulated, traces, prompts = [], [], [], [], []
    for i, text in enumerate(batch["texts"]):
        prompt = prompt_tokens(model.config, text, seen is not None)
        one = None
        if seen is not None:
            one = ({l: s[i : i + 1] for l, s in seen[0].items()}, seen[2][i : i + 1])
        trace = []
        score, tokens, run = case_answers(model, prompt, one, trace)
        scores.append(score)
        truth.append(tokens[batch["labels"][i]])
        traces.append([h[0, : len(prompt)] for h in trace])
        modulated.append(run.modulated if run else None)
        prompts.append(prompt)
    out = {"scores": torch.stack(scores), "seen": seen, "traces": traces, "prompts": prompts}
    out["class"] = class_loss(out["scores"], batch["labels"], train["label_smoothing"])
    out["lm"] = -torch.cat(truth).mean()  # over all tokens of the batch's true labels
    out["total"] = out["class"] + train["lm_weight"] * out["lm"]
    if batch.get("mask_weight") is not None and seen is not None and model.unet.has_decoder:
        skips = {l: torch.cat([m[l] for m in modulated]) for l in UNet.LEVELS}
        out["mask_logits"] = model.unet.decode(skips, seen[1]).permute(0, 2, 3, 1)
        out["mask"] = mask_loss(out["mask_logits"], batch["mask_target"], batch["mask_weight"])
        out["total"] = out["total"] + train["mask_weight"] * out["mask"]
    return out


# ---------------------------------------------------------------------------------------------
# Optimiser groups and random weights for checks
# ---------------------------------------------------------------------------------------------


def adamw(model, lr, betas, eps, weight_decay, **how):
    """AdamW that decays only parameters of two or more dimensions."""
    parts = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parts if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parts if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, **how)


def is_gate(name):
    """Is this parameter one of the tanh gates?"""
    return name.rsplit(".", 1)[-1] in (
        "gate", "gate_attn", "gate_ffn", "cross_attn_attn_gate", "cross_attn_mlp_gate",
    )


def randomise(model, seed):
    """Weights that hide nothing: gates differ and are not zero, norms are not 1, biases not 0; tile
    tables are zero exactly where Llama's are. All are float32 numbers whatever the model's type."""
    gen = torch.Generator().manual_seed(seed)
    gates = 0
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=gen)
        if is_gate(name):
            x = torch.full(p.shape, (0.35 + 0.05 * (gates % 9)) * (-1) ** gates)
            gates += 1
        elif "norm" in name.split(".")[-2]:
            x = 1 + 0.2 * x if name.endswith("weight") else 0.1 * x
        elif p.dim() < 2:
            x = 0.2 * x
        elif p.dim() == 4:
            x = x * (2.0 / (p.shape[1] * p.shape[2] * p.shape[3])) ** 0.5
        elif "embed" in name:
            x = 0.5 * x
        else:
            x = x * 1.2 * p.shape[1] ** -0.5
        p.data.copy_(x)
    clear_unused_slots(model.model.vision_model)


def clear_unused_slots(tower):
    """Row i+1 of a tile table belongs to aspect ratio i; slots past its tiles are zero, as is row 0."""
    tables = [
        tower.pre_tile_positional_embedding.embedding,
        tower.post_tile_positional_embedding.embedding,
        tower.gated_positional_embedding.tile_embedding,
    ]
    for table in tables:
        slots = table.weight.data.view(len(tower.ratios) + 1, tower.tiles, -1)
        for row in range(len(slots)):
            used = 0 if row == 0 else tower.ratios[row - 1][0] * tower.ratios[row - 1][1]
            slots[row, used:] = 0
