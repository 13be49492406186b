"""Writes tests/golden/ops/<op>.safetensors: inputs, outputs and gradients of every operation of
src/tensor/tensor.h, made by PyTorch.

Inputs are float32 numbers; everything is computed from them in float64 and rounded once, so that an
expected value is right to the last digit. The same is computed in float32 too: how far that falls
from float64 is PyTorch's own rounding, printed as the yardstick for tolerances.

    python tools/golden_ops.py [OUT_DIR]
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import reference

GEN = torch.Generator().manual_seed(20250921)


def rand(*shape, scale=1.0, shift=0.0):
    """Normal float32 numbers."""
    return torch.randn(*shape, generator=GEN) * scale + shift


def ints(*values):
    """A row of int32."""
    return torch.tensor(values, dtype=torch.int32)


class Golden:
    """Collects the cases of one operation and writes its file."""

    rows = []

    def __init__(self, op):
        self.op, self.tensors = op, {}

    def case(self, name, fn, inputs, **constants):
        """fn(**inputs) -> y. Stores inputs, y, v and the gradients of sum(y * v)."""
        y64, grads64, v = run(fn, inputs, torch.float64, None)
        y32, grads32, _ = run(fn, inputs, torch.float32, v)
        error = max([relative(y32, y64)] + [relative(grads32[k], grads64[k]) for k in grads64])
        Golden.rows.append((self.op, name, error))
        self.put(name, "y", y64.float())
        self.put(name, "v", v)
        for key, x in inputs.items():
            self.put(name, key, x)
            self.put(name, "grad_" + key, grads64[key].float())
        for key, x in constants.items():
            self.put(name, key, x if torch.is_tensor(x) else torch.tensor([x], dtype=number_type(x)))

    def put(self, case, key, x):
        """Adds one tensor."""
        self.tensors[f"{case}.{key}"] = x.detach().clone().contiguous()

    def save(self, folder):
        """Writes the file."""
        path = folder / f"{self.op}.safetensors"
        save_file(self.tensors, path)
        path.chmod(0o644)


def number_type(x):
    """Plain numbers become int32 or float32 tensors of one element."""
    return torch.int32 if isinstance(x, int) else torch.float32


def run(fn, inputs, dtype, v):
    """-> (y, {input: gradient}, v)."""
    leaves = {k: x.detach().to(dtype, copy=True).requires_grad_() for k, x in inputs.items()}
    y = fn(**leaves)
    if v is None:
        v = rand(*y.shape)
    (y * v.to(dtype)).sum().backward()
    grads = {k: torch.zeros_like(x) if x.grad is None else x.grad for k, x in leaves.items()}
    return y.detach(), grads, v


def relative(a, b):
    """Largest difference over largest value."""
    return ((a.double() - b).abs().max() / b.abs().max().clamp_min(1e-30)).item()


def chw(x):
    """[B,H,W,C] -> [B,C,H,W]."""
    return x.permute(0, 3, 1, 2)


def hwc(x):
    """[B,C,H,W] -> [B,H,W,C]."""
    return x.permute(0, 2, 3, 1)


def dense():
    """linear, conv2d, conv_transpose2x2, patchify."""
    g = Golden("linear")
    g.case("bias", linear_named, {"x": rand(2, 3, 5), "w": rand(4, 5), "b": rand(4)})
    g.case("plain", linear_named, {"x": rand(7, 19), "w": rand(33, 19, scale=0.3)})
    yield g

    g = Golden("conv2d")

    def conv(x, w, b=None):
        return hwc(F.conv2d(chw(x), w, b, padding=w.shape[-1] // 2))

    g.case("k3_bias", conv, {"x": rand(2, 5, 6, 3), "w": rand(4, 3, 3, 3), "b": rand(4)})
    g.case("k3_wide", conv, {"x": rand(1, 4, 6, 8), "w": rand(10, 8, 3, 3, scale=0.2)})
    g.case("k1_bias", conv, {"x": rand(2, 3, 5, 6), "w": rand(2, 6, 1, 1), "b": rand(2)})
    g.case("k1_plain", conv, {"x": rand(1, 4, 4, 8), "w": rand(8, 8, 1, 1)})
    yield g

    g = Golden("conv_transpose2x2")

    def up(x, w, b=None):
        return hwc(F.conv_transpose2d(chw(x), w, b, stride=2))

    g.case("bias", up, {"x": rand(2, 3, 5, 4), "w": rand(4, 3, 2, 2), "b": rand(3)})
    g.case("wide", up, {"x": rand(1, 4, 4, 16), "w": rand(16, 8, 2, 2, scale=0.3), "b": rand(8)})
    yield g

    g = Golden("patchify")

    def patchify(x, p=3):
        return F.unfold(chw(x), p, stride=p).transpose(1, 2).flatten(0, 1)

    g.case("p3", patchify, {"x": rand(2, 6, 9, 3)}, p=3)
    yield g


def pictures():
    """group_norm, max_pool2x2, concat_channels, patch_pool."""
    g = Golden("group_norm")

    def norm(x, w=None, b=None, groups=3, relu=False):
        y = hwc(F.group_norm(chw(x), groups, w, b, eps=1e-5))
        return F.relu(y) if relu else y

    def with_relu(x, w, b):
        return norm(x, w, b, relu=True)

    def affine():
        return {"w": rand(6, scale=0.3, shift=1.0), "b": rand(6, scale=0.5)}

    g.case("plain", norm, {"x": rand(2, 4, 5, 6, shift=0.7)}, groups=3, eps=1e-5, relu=0)
    g.case("affine", norm, {"x": rand(2, 4, 5, 6, shift=0.7), **affine()}, groups=3, eps=1e-5, relu=0)
    g.case("relu", with_relu, {"x": rand(2, 4, 5, 6, shift=0.7), **affine()}, groups=3, eps=1e-5, relu=1)
    yield g

    g = Golden("max_pool2x2")
    g.case("normal", lambda x: hwc(F.max_pool2d(chw(x), 2)), {"x": rand(2, 6, 4, 5)})
    ties = torch.randint(0, 3, (1, 6, 6, 4), generator=GEN).float()
    g.case("ties", lambda x: hwc(F.max_pool2d(chw(x), 2)), {"x": ties})
    yield g

    g = Golden("concat_channels")
    g.case("two", lambda a, b: torch.cat([a, b], 3), {"a": rand(2, 3, 2, 4), "b": rand(2, 3, 2, 3)})
    yield g

    g = Golden("patch_pool")

    def pool(x, grid=2, cells=2):
        b, h, w, c = x.shape
        s = grid * cells
        y = x.reshape(b, grid, cells, h // s, grid, cells, w // s, c).mean(dim=(3, 6))
        return y.permute(0, 1, 3, 2, 4, 5).reshape(b * grid * grid, cells * cells * c)

    g.case("g2q2", pool, {"x": rand(2, 8, 12, 3)}, grid=2, cells=2)
    g.case("g3q1", lambda x: pool(x, 3, 1), {"x": rand(1, 6, 6, 4)}, grid=3, cells=1)
    yield g


def elementwise():
    """Norms over rows, activations, film, gated and table additions."""
    g = Golden("layer_norm")

    def layer(x, w, b):
        return F.layer_norm(x, x.shape[-1:], w, b, eps=1e-5)

    g.case("rows", layer, {"x": rand(5, 13, shift=0.5), "w": rand(13, shift=1.0), "b": rand(13)}, eps=1e-5)
    yield g

    g = Golden("rms_norm")

    def rms(x, w):
        return w * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))

    g.case("rows", rms, {"x": rand(5, 13), "w": rand(13, scale=0.3, shift=1.0)}, eps=1e-5)
    g.case("small", rms, {"x": rand(3, 8, scale=3e-3), "w": rand(8, scale=0.3, shift=1.0)}, eps=1e-5)
    yield g

    g = Golden("gelu")
    wide = torch.cat([rand(60, scale=2.0), torch.tensor([-12.0, -6.0, -1e-3, 0.0, 1e-3, 6.0, 12.0])])
    g.case("erf", lambda x: F.gelu(x), {"x": wide})
    yield g

    g = Golden("swiglu")
    far = torch.tensor([-90.0, -20.0, 0.0, 20.0, 90.0])
    g.case("rows", lambda gate, up: F.silu(gate) * up, {"gate": rand(4, 9, scale=2.0), "up": rand(4, 9)})
    g.case("far", lambda gate, up: F.silu(gate) * up, {"gate": far, "up": rand(5)})
    yield g

    g = Golden("film")

    def film(x, film):
        gamma, beta = film.chunk(2, dim=1)
        b, c = gamma.shape
        y = x.view(b, -1, c)
        return ((1 + gamma[:, None]) * y + beta[:, None]).view(x.shape)

    g.case("s4", film, {"x": rand(2 * 3, 4 * 5), "film": rand(2, 10)})
    g.case("s1", film, {"x": rand(3 * 4, 6), "film": rand(3, 12)})
    yield g

    g = Golden("gated_add")
    mask = torch.tensor([0, 1, 1, 0, 1], dtype=torch.uint8)

    def plain(x, z, gate):
        return x + torch.tanh(gate) * z

    def masked(x, z, gate):
        return x + torch.tanh(gate) * (mask[:, None].to(x.dtype) * z)

    def three():
        return {"x": rand(5, 7), "z": rand(5, 7), "gate": torch.tensor([0.6])}

    g.case("plain", plain, three())
    g.case("masked", masked, three(), row_mask=mask)
    g.case("closed", plain, {**three(), "gate": torch.zeros(1)})
    yield g


def rows():
    """Everything that addresses rows by index."""
    row = ints(2, -1, 0, 2, 1, 3)
    live = (row >= 0).float()[:, None]

    g = Golden("add_rows")

    def added(x, table, gate=None, complement=False):
        s = 1 if gate is None else (1 - torch.tanh(gate) if complement else torch.tanh(gate))
        return x + s * (table[row.clamp_min(0).long()] * live.to(x.dtype))

    def pair():
        return {"x": rand(6, 5), "table": rand(4, 5)}

    gate = torch.tensor([-0.4])
    g.case("plain", added, pair(), row=row)
    g.case("gate", added, {**pair(), "gate": gate}, row=row, complement=0)
    g.case("complement", lambda x, table, gate: added(x, table, gate, True), {**pair(), "gate": gate},
           row=row, complement=1)
    yield g

    g = Golden("gather_rows")
    g.case("rows", lambda x: x[row.clamp_min(0).long()] * live.to(x.dtype), {"x": rand(4, 5)}, row=row)
    yield g

    g = Golden("concat_rows")
    g.case("two", lambda a, b: torch.cat([a, b]), {"a": rand(3, 5), "b": rand(2, 5)})
    yield g

    g = Golden("concat_interleave")

    def interleave(first, rest0, rest1, rest2):
        return torch.cat([first, torch.stack([rest0, rest1, rest2], dim=-1).flatten(1)], dim=1)

    parts = {k: rand(3, 4) for k in ("first", "rest0", "rest1", "rest2")}
    g.case("k3", interleave, parts)
    yield g

    g = Golden("mean_rows")
    begin, count = ints(0, 4, 5), ints(3, 1, 4)

    def mean(x):
        return torch.stack([x[b : b + n].mean(0) for b, n in zip(begin.tolist(), count.tolist())])

    g.case("three", mean, {"x": rand(10, 6)}, begin=begin, count=count)
    yield g

    g = Golden("segment_sum")
    index, offset = ints(3, 0, 2, 2, 1), ints(0, 2, 2, 5)
    weight = rand(5)

    def sums(x):
        terms = x[index.long()] * weight.to(x.dtype)
        return torch.stack([terms[a:b].sum() for a, b in zip(offset[:-1].tolist(), offset[1:].tolist())])

    g.case("three", sums, {"x": rand(4)}, index=index, offset=offset, weight=weight)
    yield g


def allowed(kind, segment, tree, invalid):
    """-> [nq,nk] of bool: which pairs of one segment count."""
    _, nq, k0, nk, prefix, leak = segment
    i, j = torch.arange(nq)[:, None], torch.arange(nk)[None, :]
    if kind == "causal":
        return j <= i
    if kind == "tree":
        ok = (j <= i) & (j < prefix)
        ok[prefix:, prefix:] = tree.bool()
        return ok
    if kind == "pair":
        bad = invalid[k0 : k0 + nk].bool()
        return ~(bad[:, None] & bad[None, :])
    if kind == "image":
        return (j < prefix) | (i < leak)
    return torch.ones(nq, nk, dtype=torch.bool)


def plan(kind, heads, kv_heads, segments, key_bias=None, invalid=None, tree=None):
    """A function q, k, v -> y for one attention plan, written as loops over segments and heads."""

    def attend(q, k, v):
        hd = q.shape[1] // heads
        q, k, v = (x.unflatten(1, (-1, hd)) for x in (q, k, v))
        parts = []
        for s in segments.tolist():
            q0, nq, k0, nk = s[:4]
            ok, heads_out = allowed(kind, s, tree, invalid), []
            for h in range(heads):
                keys, values = (x[k0 : k0 + nk, h * kv_heads // heads] for x in (k, v))
                scores = q[q0 : q0 + nq, h] @ keys.T * hd**-0.5
                if key_bias is not None:
                    scores = scores + key_bias[k0 : k0 + nk].to(q.dtype)
                scores = scores.masked_fill(~ok, float("-inf"))
                heads_out.append(scores.softmax(-1) @ values)
            parts.append(torch.cat(heads_out, dim=1))
        return torch.cat(parts)

    return attend


def attention():
    """Every kind of mask; segments are rows (q0, nq, k0, nk, prefix, leak_rows)."""
    g = Golden("attention")

    def add(name, kind, heads, kv_heads, hd, segments, **arrays):
        segments = torch.tensor(segments, dtype=torch.int32)
        nq = int((segments[:, 0] + segments[:, 1]).max())
        nk = int((segments[:, 2] + segments[:, 3]).max())
        shape = {"q": (nq, heads * hd), "k": (nk, kv_heads * hd), "v_": (nk, kv_heads * hd)}
        fn = plan(kind, heads, kv_heads, segments, **arrays)
        inputs = {key: rand(*size) for key, size in shape.items()}
        named = {"q": inputs["q"], "k": inputs["k"], "value": inputs["v_"]}
        g.case(name, lambda q, k, value: fn(q, k, value), named, heads=heads, kv_heads=kv_heads,
               head_dim=hd, segments=segments, **arrays)

    add("full", "full", 4, 2, 6, [(0, 3, 0, 5, 0, 0), (3, 2, 5, 4, 0, 0)])
    add("causal", "causal", 2, 1, 8, [(0, 6, 0, 6, 0, 0), (6, 3, 6, 3, 0, 0)])
    # nodes: 0; 1 child of 0; 2 child of 0; 3 root; 4 child of 2
    tree = torch.tensor(
        [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [1, 0, 1, 0, 1]],
        dtype=torch.uint8,
    )
    add("tree", "tree", 4, 2, 4, [(0, 9, 0, 9, 4, 0), (9, 7, 9, 7, 2, 0)], tree=tree)
    invalid = torch.tensor([0, 0, 1, 0, 1, 1, 0, 1, 0], dtype=torch.uint8)
    many = torch.tensor([1, 1, 3, 1, 2, 7, 1, 7, 1]).log()
    add("pair", "pair", 2, 2, 8, [(0, 6, 0, 6, 0, 0), (6, 3, 6, 3, 0, 0)], invalid=invalid,
        key_bias=many)
    leak = torch.tensor([1, 1, 1, 1, 3, 3, 1, 1, 1, 3]).log()
    add("image", "image", 4, 2, 4, [(0, 5, 0, 6, 4, 2), (5, 4, 6, 4, 3, 1)], key_bias=leak)
    yield g

    g = Golden("rope")
    text = {"hidden_size": 32, "num_attention_heads": 2, "rope_theta": 10000.0}
    scaled = {**text, "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                       "original_max_position_embeddings": 64}}
    position = ints(0, 1, 7, 63, 200)
    for name, config in (("plain", text), ("llama3", scaled)):
        freq = reference.rope_inverse_frequencies(config)

        def rope(x, freq=freq):
            angle = position[None, :, None].to(x.dtype) * freq.to(x.dtype)
            y = reference.rotate(reference.split_heads(x[None], 2), angle)
            return y.transpose(1, 2).flatten(2)[0]

        g.case(name, rope, {"x": rand(5, 32)}, position=position, inv_freq=freq, heads=2)
    yield g


def answers():
    """log_prob, cross_entropy, mask_loss."""
    g = Golden("log_prob")
    target = ints(3, 0, 10, 6)

    def log_prob(logits):
        return logits.log_softmax(-1).gather(1, target.long()[:, None])[:, 0]

    g.case("rows", log_prob, {"logits": rand(4, 11, scale=3.0)}, target=target)
    yield g

    g = Golden("cross_entropy")
    for name, smoothing in (("smooth", 0.125), ("hard", 0.0)):
        label = ints(2, -1, 0, 4, 3)
        logits = rand(5, 6, scale=2.0)

        def loss(logits, label=label, smoothing=smoothing):
            some = label >= 0
            return reference.class_loss(logits[some], label[some].long(), smoothing)[None]

        g.case(name, loss, {"logits": logits}, label=label, smoothing=smoothing)
        g.put(name, "prob", logits.double().softmax(-1).float())
    yield g

    g = Golden("mask_loss")
    target = (rand(3, 6, 5, 2) > 0.6).float()
    target[0, 0] = 0.25  # soft targets happen at a resized mask's edge
    for name, weight in (("some", [[1, 1], [0, 1], [0, 0]]), ("none", [[0, 0]] * 3)):
        weight = torch.tensor(weight, dtype=torch.float32)

        def loss(logits, weight=weight):
            return reference.mask_loss(logits, target.to(logits.dtype), weight.to(logits.dtype))[None]

        g.case(name, loss, {"logits": rand(3, 6, 5, 2, scale=2.0)}, target=target, weight=weight)
    yield g


def adamw():
    """Three steps of torch.optim.AdamW; the constants are exact in float32."""
    g = Golden("adamw")
    lr, beta1, beta2, eps, decay = 0.0625, 0.875, 0.96875, 2.0**-20, 0.125
    w0, grads = rand(19), [rand(19, scale=s) for s in (1.0, 0.1, 3.0)]
    g.put("steps", "w0", w0)
    g.put("steps", "hyper", torch.tensor([lr, beta1, beta2, eps, decay]))
    final = {}
    for dtype in (torch.float64, torch.float32):
        w = w0.to(dtype).clone().requires_grad_()
        step = torch.optim.AdamW([w], lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=decay)
        for i, grad in enumerate(grads):
            w.grad = grad.to(dtype)
            step.step()
            if dtype == torch.float64:
                g.put("steps", f"g{i + 1}", grad)
                g.put("steps", f"w{i + 1}", w.detach().float())
        final[dtype] = w.detach()
        if dtype == torch.float64:
            g.put("steps", "m3", step.state[w]["exp_avg"].float())
            g.put("steps", "v3", step.state[w]["exp_avg_sq"].float())
    Golden.rows.append(("adamw", "steps", relative(final[torch.float32], final[torch.float64])))
    yield g


def surround(x, k, stride):
    """Zeros around [B,C,H,W] as TensorFlow's "SAME" has them: an odd one below and to the right."""
    around = []
    for size in (x.shape[3], x.shape[2]):
        out = -(-size // stride)
        total = max((out - 1) * stride + k - size, 0)
        around += [total // 2, total - total // 2]
    return F.pad(x, around)


def mobile():
    """depthwise, linear_clip, unfold, fold_norm. Bounds of clips are met on both sides."""
    g = Golden("depthwise")

    def depthwise(x, w, b, stride=1, clip=False):
        y = hwc(F.conv2d(surround(chw(x), w.shape[-1], stride), w, b, stride=stride, groups=w.shape[0]))
        return F.relu6(y) if clip else y

    # sizes of both parities: the zeros of rows and columns differ
    for k, stride, (h, w), c, clip in ((3, 1, (6, 5), 4, 0), (3, 1, (5, 6), 19, 1), (3, 2, (6, 7), 5, 0),
                                       (3, 2, (7, 5), 16, 1), (5, 1, (6, 7), 3, 0), (5, 1, (3, 9), 16, 1),
                                       (5, 2, (8, 6), 4, 0), (5, 2, (9, 8), 17, 1), (7, 3, (2, 11), 3, 1)):
        def layer(x, w, b, stride=stride, clip=clip):
            return depthwise(x, w, b, stride, clip)

        inputs = {"x": rand(2 - clip, h, w, c), "w": rand(c, 1, k, k), "b": rand(c, scale=2.0, shift=2.0)}
        name = f"k{k}s{stride}_{h}x{w}" + ("_relu6" if clip else "")
        g.case(name, layer, inputs, stride=stride, clip=clip)
    yield g

    g = Golden("linear_clip")
    g.case("relu6", lambda x, w, b: F.relu6(F.linear(x, w, b)),
           {"x": rand(2, 7, 5), "w": rand(19, 5), "b": rand(19, scale=2.0, shift=2.0)})
    yield g

    g = Golden("unfold")

    def conv(x, w, b, k=3, stride=2):
        return hwc(F.conv2d(surround(chw(x), k, stride), w, b, stride=stride))

    g.case("conv_even", conv, {"x": rand(2, 6, 8, 3), "w": rand(5, 3, 3, 3), "b": rand(5)}, k=3, stride=2)
    g.case("conv_odd", conv, {"x": rand(1, 7, 5, 3), "w": rand(4, 3, 3, 3), "b": rand(4)}, k=3, stride=2)
    yield g

    g = Golden("fold_norm")

    def normed(x, w, gamma, beta, mean, var, eps, grouped):
        stride = 2 - grouped
        y = F.conv2d(surround(chw(x), 3, stride), w, None, stride=stride, groups=w.shape[0] if grouped else 1)
        norm = torch.nn.BatchNorm2d(w.shape[0], eps=eps).to(x.dtype).eval()
        norm.running_mean, norm.running_var = mean.to(x.dtype), var.to(x.dtype)
        return hwc(torch.func.functional_call(norm, {"weight": gamma, "bias": beta}, (y,)))

    for name, grouped, cin, out in (("grouped", 1, 6, 6), ("dense", 0, 3, 5)):
        mean, var = rand(out), rand(out).abs() + 0.1

        def layer(x, w, gamma, beta, mean=mean, var=var, grouped=grouped):
            return normed(x, w, gamma, beta, mean, var, 2.0**-10, grouped)

        inputs = {"x": rand(2, 5, 6, cin), "w": rand(out, 1 if grouped else cin, 3, 3),
                  "gamma": rand(out, scale=0.3, shift=1.0), "beta": rand(out)}
        g.case(name, layer, inputs, mean=mean, var=var, eps=2.0**-10)
    yield g


def linear_named(x, w, b=None):
    """F.linear under the argument names of the file."""
    return F.linear(x, w, b)


def allowed_labels():
    """cross_entropy where a row allows some labels only."""
    g = Golden("cross_entropy_allowed")
    label = ints(2, 0, 1, 4, 3, -1)
    logits = rand(6, 6, scale=2.0)
    allowed = torch.rand(6, 6, generator=GEN) < 0.5
    allowed[torch.arange(5), label[:5].long()] = True
    allowed[5] = True  # a row without label is not cut

    def loss_of_some(logits):
        """Each row as if the labels that it does not allow did not exist."""
        rows = []
        for row, k, may in zip(logits, label, allowed):
            if k >= 0:
                kept = may.nonzero()[:, 0]
                at = (kept == k).nonzero()[0]
                rows.append(reference.class_loss(row[kept][None], at, 0.125))
        return torch.stack(rows).mean()[None]

    g.case("some", loss_of_some, {"logits": logits}, label=label, allowed=allowed.int(), smoothing=0.125)
    g.put("some", "prob", logits.double().masked_fill(~allowed, -torch.inf).softmax(-1).float())
    yield g


def main():
    """Writes every file and prints the yardstick."""
    torch.set_num_threads(1)
    here = pathlib.Path(__file__).resolve().parent.parent
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "tests/golden/ops"
    out.mkdir(parents=True, exist_ok=True)
    for part in (dense, pictures, elementwise, rows, attention, answers, adamw, mobile, allowed_labels):
        for golden in part():
            golden.save(out)
    for op, case, error in Golden.rows:
        print(f"{op:20} {case:12} float32 vs float64: {error:.1e}")


if __name__ == "__main__":
    main()
