#!/usr/bin/env python3
"""Paired comparison of results of `mdf eval --json` or of a rival's `--probabilities`: difference of macro AUC and balanced
accuracy (first minus second) on the same cases, with 95 % intervals by a bootstrap over patients.

    python bench/compare_runs.py first.json second.json
    python bench/compare_runs.py a1.json,a2.json,a3.json b1.json,b2.json,b3.json    # means over seeds

Only labels that the cases have take part; each case's probabilities are those of these labels, again with sum 1. Patients
are the first file's.
"""
import json
import sys

import numpy as np
from sklearn.metrics import roc_auc_score


def load(path):
    """-> {file name: (label, patient, probabilities by label)}."""
    with open(path, encoding="utf-8") as file:
        return {r["file_name"]: (r["label"], r["patient_id"], r["prob"]) for r in json.load(file)["cases"]}


def measures(truth, prob):
    """-> macro one-vs-rest AUC, balanced accuracy."""
    classes = [k for k in range(prob.shape[1]) if 0 < np.sum(truth == k) < len(truth)]
    auc = np.mean([roc_auc_score(truth == k, prob[:, k]) for k in classes])
    answer = prob.argmax(axis=1)
    return np.array([auc, np.mean([np.mean(answer[truth == k] == k) for k in classes])])


def main():
    """Reads both sides, prints the differences."""
    sides = [[load(path) for path in argument.split(",")] for argument in sys.argv[1:3]]
    first = sides[0][0]
    names = sorted(first)
    labels = sorted({first[n][0] for n in names})
    for run in sides[0] + sides[1]:
        assert sorted(run) == names and all(run[n][0] == first[n][0] for n in names), "not the same cases"
    truth = np.array([labels.index(first[n][0]) for n in names])
    probs = []
    for side in sides:
        some = [np.array([[run[n][2][k] for k in labels] for n in names]) for run in side]
        probs.append([p / p.sum(axis=1, keepdims=True) for p in some])
    groups = {}
    for i, n in enumerate(names):
        groups.setdefault(first[n][1], []).append(i)
    groups = [np.array(g) for g in groups.values()]

    def side_of(runs, pick):
        return np.mean([measures(truth[pick], p[pick]) for p in runs], axis=0)

    rng = np.random.default_rng(1)
    found = []
    while len(found) < 2000:
        pick = np.concatenate([groups[j] for j in rng.integers(len(groups), size=len(groups))])
        if len(np.unique(truth[pick])) == len(labels):
            found.append(side_of(probs[0], pick) - side_of(probs[1], pick))
    low, high = np.percentile(found, [2.5, 97.5], axis=0)
    every = np.arange(len(names))
    a, b = side_of(probs[0], every), side_of(probs[1], every)
    for k, name in enumerate(["macro AUC", "balanced accuracy"]):
        print(f"{name}: {a[k]:.3f} less {b[k]:.3f} is {a[k] - b[k]:+.3f} [{low[k]:+.3f}, {high[k]:+.3f}]")
    print(f"{len(truth)} cases of {len(groups)} patients; labels {', '.join(labels)}")


if __name__ == "__main__":
    main()
