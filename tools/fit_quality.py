"""Fits and measures the fundus model of src/photo/quality.c from the table of measure_quality.

    python tools/fit_quality.py TABLE.tsv

Rows whose path holds /drawn/ or /photos/ are no fundus, all others are. Half of the sources (all crops
of one photograph together) fit, the other half measure. Prints C constants and rates. Needs numpy."""
import csv
import re
import sys
import zlib

import numpy as np

rows = list(csv.DictReader(open(sys.argv[1]), delimiter="\t"))
names = ["circle", "warm_order", "warmth", "one_hue", "roughness", "fine", "contrast", "ground"]
x = np.array([[float(r[n]) for n in names] for r in rows])
kind = np.array([int(r["kind"]) for r in rows])
group = []
for r in rows:
    m = re.search(r"/(drawn|photos|cropped|[a-z0-9_]+/images)/", r["path"])
    g = m.group(1)
    if g == "photos" or g == "drawn":
        g += "-framed" if "_framed" in r["path"] else "-crop" if "_crop" in r["path"] else ""
    group.append(g)
group = np.array(group)
y = np.array([0 if re.match("drawn|photos", g) else 1 for g in group])
source = [r["path"].split("/")[-1] for r in rows]
source = [s if g.startswith("drawn") else re.sub(r"_(crop|framed)\d+\.png$|\.png$", "", s) for s, g in zip(source, group)]
fit = np.array([zlib.crc32(s.encode()) % 2 == 0 for s in source])
weight = np.zeros(len(y))
for g in set(group):  # every group counts alike within its class
    m = (group == g) & fit
    k = len({h for h, t in zip(group, y) if t == y[group == g][0]})
    weight[m] = (2.0 if y[m].any() else 1.0) / (k * max(1, m.sum()))  # refusing a patient is worse
weight /= weight.sum()
mu, sd = x[fit].mean(0), x[fit].std(0)
z = np.c_[np.ones(len(x)), (x - mu) / sd]
w = np.zeros(z.shape[1])
for _ in range(60):  # Newton, ridge 1e-3
    p = 1 / (1 + np.exp(-z @ w))
    g = z.T @ (weight * (p - y)) + 1e-3 * np.r_[0, w[1:]]
    h = (z * (weight * p * (1 - p))[:, None]).T @ z + 1e-3 * np.diag(np.r_[0, np.ones(len(w) - 1)])
    w -= np.linalg.solve(h, g)
coef = w[1:] / sd
bias = w[0] - (w[1:] * mu / sd).sum()
p = 1 / (1 + np.exp(-(bias + x @ coef)))
print("bias", f"{bias:.4f}")
print("weight", ", ".join(f"{n} {c:.4f}" for n, c in zip(names, coef)))
for g in sorted(set(group)):
    for part, m in (("fit", fit), ("measured", ~fit)):
        m = m & (group == g)
        print(f"{g:20s} {part:9s} n {m.sum():5d}  called fundus {100 * (p[m] > .5).mean():6.2f} %  "
              f"p: 1 % {np.quantile(p[m], .01):.3f} 50 % {np.median(p[m]):.3f} 99 % {np.quantile(p[m], .99):.3f}")
for n in ("brightness", "overexposed", "sharpness", "visible"):
    v = np.array([float(r[n]) for r in rows])
    for g in sorted(set(group)):
        if y[group == g][0]:
            print(n, g, "quantiles 0.5 1 2 5 25 50 75 95 98 99 %:",
                  " ".join(f"{q:.3g}" for q in np.quantile(v[group == g], [.005, .01, .02, .05, .25, .5, .75, .95, .98, .99])))
if len(sys.argv) > 2:
    for i in np.argsort(-np.abs(p - y))[:int(sys.argv[2])]:
        print(f"{p[i]:.3f} {rows[i]['path']}", " ".join(f"{n}={v:.2f}" for n, v in zip(names, x[i])))
    for g in sorted(set(group)):
        print(g, "median", " ".join(f"{n}={v:.2f}" for n, v in zip(names, np.median(x[group == g], 0))))
