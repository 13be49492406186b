#!/usr/bin/env python3
"""Paired comparison of two `mdf eval --json` files: difference of macro AUC and balanced accuracy (first minus
second) on the same cases, with 95 % intervals by a bootstrap over patients.

    python bench/compare_runs.py first.json second.json
"""
import json
import sys

import numpy as np
from sklearn.metrics import roc_auc_score


def load(path):
    """-> labels, truth [N], patients [N], probabilities [N, K]; cases in the order of their names."""
    doc = json.load(open(path, encoding="utf-8"))
    labels = doc["labels"]
    rows = sorted(doc["cases"], key=lambda r: r["file_name"])
    truth = np.array([labels.index(r["label"]) for r in rows])
    prob = np.array([[r["prob"][k] for k in labels] for r in rows])
    return labels, truth, [r["patient_id"] for r in rows], prob, [r["file_name"] for r in rows]


def measures(truth, prob):
    """-> macro one-vs-rest AUC, balanced accuracy."""
    classes = [k for k in range(prob.shape[1]) if 0 < np.sum(truth == k) < len(truth)]
    auc = np.mean([roc_auc_score(truth == k, prob[:, k]) for k in classes])
    answer = prob.argmax(axis=1)
    return np.array([auc, np.mean([np.mean(answer[truth == k] == k) for k in classes])])


def main():
    labels, truth, patients, first, names = load(sys.argv[1])
    other_labels, other_truth, _, second, other_names = load(sys.argv[2])
    assert labels == other_labels and names == other_names and np.array_equal(truth, other_truth)
    groups = {}
    for i, p in enumerate(patients):
        groups.setdefault(p, []).append(i)
    groups = [np.array(g) for g in groups.values()]
    rng = np.random.default_rng(1)
    found = []
    for _ in range(2000):
        pick = np.concatenate([groups[j] for j in rng.integers(len(groups), size=len(groups))])
        found.append(measures(truth[pick], first[pick]) - measures(truth[pick], second[pick]))
    low, high = np.percentile(found, [2.5, 97.5], axis=0)
    difference = measures(truth, first) - measures(truth, second)
    for k, name in enumerate(["macro AUC", "balanced accuracy"]):
        print(f"{name}: {difference[k]:+.3f} [{low[k]:+.3f}, {high[k]:+.3f}]")
    print(f"{len(truth)} cases of {len(groups)} patients")


if __name__ == "__main__":
    main()
