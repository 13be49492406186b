#!/usr/bin/env python3
"""Goldens of src/train/metrics.c and calibration.c from scikit-learn and SciPy.

    python3 tools/golden_metrics.py > tests/golden/metrics/metrics.json

Needs numpy, scipy and scikit-learn (1.9.1 made the committed file). Probabilities are rounded to
1/64 first, so that ties occur and float32 holds them exactly. Intervals of the bootstrap have no
golden: the tests check them by theory.
"""
import json

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn import metrics as sk


def sample(rng, n, k, classes_present):
    label = rng.choice(classes_present, n)
    logits = rng.normal(0, 1.5, (n, k))
    logits[np.arange(n), label] += 1.5
    logits = np.round(logits * 16) / 16
    prob = np.exp(log_softmax(logits, axis=1))
    prob = np.floor(prob * 64) / 64
    prob[:, 0] += 1 - prob.sum(1)
    return label, logits, prob


def golden(rng, n, k, classes_present):
    label, logits, prob = sample(rng, n, k, classes_present)
    answer = prob.argmax(1)
    per_auc = [
        float(sk.roc_auc_score(label == c, prob[:, c])) if 0 < (label == c).sum() < n else None
        for c in range(k)
    ]
    known = [a for a in per_auc if a is not None]
    confusion = sk.confusion_matrix(label, answer, labels=range(k))
    recall = sk.recall_score(label, answer, labels=range(k), average=None, zero_division=np.nan)
    specificity = [
        float(sk.recall_score(label != c, answer != c)) if (label != c).any() else None
        for c in range(k)
    ]
    one_hot = np.eye(k)[label]

    def nll(log_t):
        return -log_softmax(logits / np.exp(log_t), axis=1)[np.arange(n), label].mean()

    best = minimize_scalar(nll, bounds=(np.log(0.05), np.log(20)), method="bounded",
                           options={"xatol": 1e-9})
    return {
        "n": n, "classes": k,
        "label": label.tolist(), "logits": logits.ravel().tolist(),
        "prob": prob.ravel().tolist(),
        "accuracy": float(sk.accuracy_score(label, answer)),
        "balanced_accuracy": float(sk.balanced_accuracy_score(label, answer)),
        "macro_f1": float(sk.f1_score(label, answer, average="macro", zero_division=0)),
        "macro_auc": float(np.mean(known)),
        "auc": per_auc,
        "sensitivity": [None if np.isnan(v) else float(v) for v in recall],
        "specificity": specificity,
        "confusion": confusion.ravel().tolist(),
        "brier": float(((prob - one_hot) ** 2).sum(1).mean()),
        "temperature": float(np.exp(best.x)),
        "nll": float(best.fun),
    }


def main():
    rng = np.random.default_rng(20250921)
    cases = [golden(rng, 60, 4, [0, 1, 2, 3]), golden(rng, 40, 2, [0, 1]),
             golden(rng, 50, 5, [0, 2, 3])]
    print(json.dumps({"cases": cases}))


main()
