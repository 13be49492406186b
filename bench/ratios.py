"""Prints a race: reads lines of ROW, WHO and VALUE with tabs between them from stdin, one per run.

    ... | python bench/ratios.py --unit s --us mdf [--higher] [--bar "ROW, WHO=1.3"]...

Per row: the median of every runner with all its runs, then how many times as fast `us` is as each of the others. Values are
times unless --higher says that more is better. --bar: what the ratio of a row and one of us is to reach; "=1": of all.
"""

import argparse
import collections
import statistics
import sys


def main():
    """Reads, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--unit", default="s")
    parser.add_argument("--us", default="mdf")
    parser.add_argument("--higher", action="store_true")
    parser.add_argument("--bar", action="append", default=[])
    args = parser.parse_args()
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in sys.stdin:
        row, who, value = line.rstrip("\n").split("\t")
        rows[row][who].append(float(value))
    for row, runs in rows.items():
        median = {who: statistics.median(values) for who, values in runs.items()}
        for who, values in runs.items():
            every = " ".join(f"{v:.4g}" for v in values)
            print(f"{row}: {who} {median[who]:.4g} {args.unit} (of {every})")
        for who in runs:
            if who.split()[0] == args.us:
                continue
            for us in (w for w in runs if w.split()[0] == args.us):
                ratio = median[us] / median[who] if args.higher else median[who] / median[us]
                bars = [b.rsplit("=", 1)[1] for b in args.bar if b.rsplit("=", 1)[0] in ("", f"{row}, {us}")]
                said = "".join(f"; bar {b} {'met' if ratio >= float(b) else 'MISSED'}" for b in bars)
                print(f"{row}: {us} is {ratio:.2f} times as fast as {who}{said}")


if __name__ == "__main__":
    main()
