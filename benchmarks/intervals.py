"""How often the intervals of `golongrl compare` hold the truth and its test errs, by number of clusters.

Run: python benchmarks/intervals.py [--runs 2000]

Every line is so many simulated comparisons with a known difference. Clusters hold 1 to about 12 items, which share an
effect of their own. "graded" items differ by normal noise; of "right or wrong" items half change, of "few changes"
one in twelve, of "hardly any" one in fifty. Prints one table: coverage of the 95% interval that compare uses and of
the plain percentile interval, and how often the test sees a difference at 5% where there is none. The standard error
of a share near 0.95 with 2,000 comparisons is 0.005.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from golongrl.core.stats import cluster_bootstrap, difference_interval, sign_flip_test

CLUSTERS = (5, 8, 10, 15, 20, 30, 50, 100)
CHANGED = {"right or wrong": 0.5, "few changes": 1 / 12, "hardly any": 1 / 50}
"""Share of the items whose score differs between the runs."""
EFFECTS = {"graded": 0.03, "right or wrong": 0.03, "few changes": 0.03, "hardly any": 0.01}


def comparisons(kind: str, clusters: int, effect: float, runs: int) -> Iterator[tuple[np.ndarray, list[int]]]:
    """(differences, clusters) of `runs` comparisons."""
    rng = np.random.default_rng(clusters)
    for _ in range(runs):
        names = np.repeat(np.arange(clusters), 1 + rng.geometric(0.3, size=clusters))
        shared = rng.uniform(-1, 1, size=clusters)[names]
        if kind == "graded":
            yield effect + 0.2 * shared + rng.normal(0, 0.3, size=len(names)), names.tolist()
            continue
        half = CHANGED[kind] / 2
        # The shared effect never makes a share negative.
        lean = (effect / 2) + (half - effect / 2) * 0.8 * shared
        draws = rng.random(len(names))
        yield (draws < half + lean) * 1.0 - (draws > 1 - (half - lean)) * 1.0, names.tolist()


def line(kind: str, clusters: int, runs: int) -> list[str]:
    """One row of the table."""
    used, plain, effect = 0, 0, EFFECTS[kind]
    for values, names in comparisons(kind, clusters, effect, runs):
        low, high = difference_interval(values, names, resamples=2000)
        used += low <= effect <= high
        _, low, high = cluster_bootstrap(values, names, n=2000)
        plain += low <= effect <= high
    seen = sum(sign_flip_test(v, names, n=999) <= 0.05 for v, names in comparisons(kind, clusters, 0.0, runs))
    return [kind, str(clusters), *(f"{count / runs:.1%}" for count in (used, plain, seen))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    print("| differences | clusters | interval holds the truth | plain percentiles | test wrong |")
    print("|---|---:|---:|---:|---:|")
    for kind in EFFECTS:
        for clusters in CLUSTERS:
            print(f"| {' | '.join(line(kind, clusters, runs))} |", flush=True)


if __name__ == "__main__":
    main()
