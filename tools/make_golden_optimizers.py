"""Writes tests/golden/optimizers/<rule>.safetensors: several steps of each optimiser of src/optim/.

    python tools/make_golden_optimizers.py [OUT_DIR]

adamw and adafactor are PyTorch's, in float64 from inputs that are exact in float32; adalomo is its
paper's formula in numpy, in float64; adamw_8bit is bitsandbytes' on the CPU. tests/golden/optimizers/
README.md says what the keys are. How far PyTorch's own float32 falls from float64 is printed as the
yardstick for tolerances.
"""

import pathlib
import sys

import bitsandbytes
import numpy as np
import torch
from safetensors.torch import save_file

GEN = torch.Generator().manual_seed(20261128)
STEPS = 10
SHAPES = {"vector": (19,), "gate": (1,), "matrix": (7, 13), "row": (1, 24), "conv": (5, 4, 3, 3), "tiny": (6, 5)}
LR = [0.5, 0.25, 0.125, 0.03125, 0.03125, 0.015625, 0.015625, 0.0078125, 0.0078125, 0.00390625]


def rand(shape, scale=1.0):
    """Normal numbers of 11 significant bits, so that half of a float32 holds them."""
    return (torch.randn(*shape, generator=GEN) * scale).half().float()


def gradients(name, shape, steps=STEPS):
    """Of very different sizes; the second of a matrix has a row and a column of zeros. Those of "tiny", after one of
    zeros, are so small that second moments meet their floors."""
    if name == "tiny":
        small = [torch.randint(-3, 4, shape, generator=GEN).float() * 2.0**-24 for _ in range(1, steps)]
        return [torch.zeros(shape)] + small
    grads = []
    for i in range(steps):
        g = rand(shape, 10.0 ** ((i % 3) - 2))
        if name == "matrix" and i == 1:
            g[3], g[:, 5] = 0, 0
        grads.append(g)
    return grads


def relative(a, b):
    """Largest difference over the largest number."""
    a, b = a.double(), b.double()
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-300))


class Golden:
    """The cases of one rule."""

    def __init__(self, rule):
        self.rule, self.tensors = rule, {}

    def put(self, case, key, x):
        """Adds one tensor."""
        self.tensors[f"{case}.{key}"] = torch.as_tensor(x).detach().clone().contiguous()

    def inputs(self, case, w0, grads, decay, lr=None):
        """What every case has: weights, gradients, learning rates and decay."""
        self.put(case, "w0", w0.half())
        for i, g in enumerate(grads):
            self.put(case, f"g{i + 1}", g.half())
        self.put(case, "lr", torch.tensor(lr or LR, dtype=torch.float32))
        self.put(case, "decay", torch.tensor([decay], dtype=torch.float32))

    def save(self, folder):
        """Writes the file."""
        path = folder / f"{self.rule}.safetensors"
        save_file(self.tensors, path)
        path.chmod(0o644)
        print(f"{path.name}: {path.stat().st_size} bytes")


def steps_of(make, w0, grads, dtype, lr=None):
    """-> (weights after each step, state at the end); make(parameter) -> optimiser."""
    w = w0.to(dtype).clone().requires_grad_()
    opt = make(w)
    weights = []
    for rate, g in zip(lr or LR, grads):
        opt.param_groups[0]["lr"] = rate
        w.grad = g.to(dtype)
        opt.step()
        weights.append(w.detach().clone())
    return weights, opt.state[w]


def from_torch(rule, make, states):
    """Every shape with and without decay, by an optimiser of PyTorch's."""
    golden = Golden(rule)
    for name, shape in SHAPES.items():
        for decay in (0.0, 0.125):
            case = f"{name}_{'decay' if decay else 'plain'}"
            w0, grads = rand(shape), gradients(name, shape)
            golden.inputs(case, w0, grads, decay)
            weights, state = steps_of(lambda w, d=decay: make(w, d), w0, grads, torch.float64)
            weights32, _ = steps_of(lambda w, d=decay: make(w, d), w0, grads, torch.float32)
            for i, w in enumerate(weights):
                golden.put(case, f"w{i + 1}", w.float())
            for key, mine in states.items():
                if key in state:
                    golden.put(case, mine, state[key].float())
            error = max(relative(a, b) for a, b in zip(weights32, weights))
            print(f"{rule:10} {case:14} float32 vs float64: {error:.1e}")
    return golden


def adamw():
    """torch.optim.AdamW with betas and eps that are exact in float32."""
    def make(w, decay):
        return torch.optim.AdamW([w], lr=1.0, betas=(0.875, 0.96875), eps=2.0**-20, weight_decay=decay)

    return from_torch("adamw", make, {"exp_avg": "m", "exp_avg_sq": "v"})


def adafactor():
    """torch.optim.Adafactor as float32 parameters have it: eps1 is the last place of 1."""
    def make(w, decay):
        return torch.optim.Adafactor([w], lr=1.0, eps=(2.0**-23, 1e-3), weight_decay=decay)

    return from_torch("adafactor", make, {"row_var": "row", "col_var": "col", "variance": "v"})


def adalomo_steps(w0, grads, decay):
    """Algorithm 1 of arXiv 2310.10195 with the constants of its section 4 and of the authors' program: the decay of
    the moments is 1 - t^-0.8, 1e-30 stands inside of them, steps are lr * max(1e-3, RMS(w)), decay with that too."""
    w = w0.double().numpy().copy()
    matrix = w.ndim > 1
    row = col = moments = 0.0
    out = []
    for t, (g, lr) in enumerate(zip(grads, LR), 1):
        g = g.double().numpy().reshape(w.shape[0], -1) if matrix else g.double().numpy()
        new = t**-0.8
        square = g * g + 1e-30
        if matrix:
            row = (1 - new) * row + new * square.mean(axis=1)
            col = (1 - new) * col + new * square.mean(axis=0)
            moments = np.outer(row / row.mean(), col)
        else:
            moments = (1 - new) * moments + new * square
        update = g / np.sqrt(moments)
        update /= max(1.0, np.sqrt((update**2).mean()))
        step = lr * max(1e-3, np.sqrt((w * w).mean()))
        w = w * (1 - step * decay) - step * update.reshape(w.shape)
        out.append(torch.tensor(w))
    state = {"row": row, "col": col} if matrix else {"v": moments}
    return out, {key: torch.tensor(x) for key, x in state.items()}


def adalomo():
    """By the formula."""
    golden = Golden("adalomo")
    for name, shape in SHAPES.items():
        for decay in (0.0, 0.125):
            case = f"{name}_{'decay' if decay else 'plain'}"
            w0, grads = rand(shape), gradients(name, shape)
            golden.inputs(case, w0, grads, decay)
            weights, state = adalomo_steps(w0, grads, decay)
            for i, w in enumerate(weights):
                golden.put(case, f"w{i + 1}", w.float())
            for key, x in state.items():
                golden.put(case, key, x.float())
    return golden


BLOCK = 256


def per_block(x, n):
    """One number of each block -> one of each element."""
    return np.repeat(x, BLOCK)[:n]


def nearest(x, table, signed):
    """Codes of x and largest magnitudes of its blocks: the nearest code of bitsandbytes' table, and as on its GPUs
    the next one if that has another sign."""
    n = len(x)
    most = np.array([np.abs(x[i : i + BLOCK]).max() for i in range(0, n, BLOCK)])
    part = x / per_block(most, n)
    code = np.abs(part[:, None] - table[None]).argmin(1)
    if signed:
        code = np.where((x < 0) & (table[code] >= 0), code - 1, code)
    return code.astype(np.uint8), most.astype(np.float32)


def adamw_8bit():
    """Three steps of bitsandbytes' AdamW8bit on the CPU, whose decay comes first as PyTorch's does. Its quantiser there
    looks x up in a table of equal steps, which is coarse for small numbers; so after every step its codes are replaced
    by the nearest ones, and the next step starts from those."""
    golden, case, n, steps, decay = Golden("adamw_8bit"), "blocks", 16 * BLOCK + 100, 3, 0.125
    tables = {s: bitsandbytes.functional.create_dynamic_map(s) for s in (True, False)}
    golden.put("codes", "signed", tables[True])
    golden.put("codes", "unsigned", tables[False])
    w0 = rand((n,), 0.05)
    grads = [(rand((n,)) * 10 ** (-3 * torch.rand(n, generator=GEN))).half().float() for _ in range(steps)]
    golden.inputs(case, w0, grads, decay, LR[:steps])
    w = torch.nn.Parameter(w0.clone())
    opt = bitsandbytes.optim.AdamW8bit([w], lr=1.0, betas=(0.875, 0.96875), eps=2.0**-20, weight_decay=decay)
    m, v = np.zeros(n), np.zeros(n)
    signed, unsigned = tables[True].double().numpy(), tables[False].double().numpy()
    for t, g in enumerate(grads):
        opt.param_groups[0]["lr"] = LR[t]
        w.grad = g.clone()
        opt.step()
        state, g = opt.state[w], g.double().numpy()
        m, v = 0.875 * m + 0.125 * g, 0.96875 * v + 0.03125 * g * g
        m_code, m_most = nearest(m, signed, True)
        v_code, v_most = nearest(v, unsigned, False)
        for mine, theirs in ((m_most, "absmax1"), (v_most, "absmax2")):
            assert np.allclose(mine, state[theirs].numpy(), rtol=1e-6, atol=0)
        same = [(a == state[b].numpy()).mean() for a, b in ((m_code, "state1"), (v_code, "state2"))]
        print(f"adamw_8bit step {t + 1}: its CPU quantiser agrees in {same[0]:.4f} of m, {same[1]:.4f} of v")
        for key, x in (("state1", m_code), ("state2", v_code), ("absmax1", m_most), ("absmax2", v_most)):
            state[key].copy_(torch.tensor(x))
            golden.put(case, f"{key}.{t + 1}", state[key])
        if t != 1:  # two of them say enough
            golden.put(case, f"w{t + 1}", w)
        m = signed[m_code] * per_block(m_most.astype(np.float64), n)
        v = unsigned[v_code] * per_block(v_most.astype(np.float64), n)
    return golden


def main():
    """Writes every file."""
    here = pathlib.Path(__file__).resolve().parent.parent
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "tests/golden/optimizers"
    out.mkdir(parents=True, exist_ok=True)
    for make in (adamw, adafactor, adalomo, adamw_8bit):
        make().save(out)


if __name__ == "__main__":
    main()
