"""How well the scores of `secateur rank` foretell the damage that `secateur study` measured.

    python3 correlate.py RANK.json RESULTS [--without NAME]...

RANK.json is the report of `rank`, RESULTS the folder of a study whose grid has the candidates as
`calibration`. For every method and sparsity, and every held-out text: Spearman's rank correlation over
the candidates between a score and the loss (what the logarithm of the perplexity went up by), with the
sign of the score turned so that +1 means: the order of the score is the order of the measured damage.
Means over seeds are correlated. Controls make an order easy: leave them out with --without.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

HIGHER_IS_BETTER = {"min-k", "coverage", "vocabulary"}


def ranks(values):
    """Ranks from 1; equals share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            found[place] = (start + 1 + end) / 2
        start = end
    return found


def spearman(a, b):
    a, b = ranks(a), ranks(b)
    mean = (len(a) + 1) / 2
    product = sum((x - mean) * (y - mean) for x, y in zip(a, b))
    squares = [sum((x - mean) ** 2 for x in values) for values in (a, b)]
    return product / (squares[0] * squares[1]) ** 0.5 if all(squares) else float("nan")


def mean(values):
    return sum(values) / len(values)


def scores_of(report):
    """{score: {candidate: mean over the draws}}; the score on a text is `score @ text`."""
    scores = defaultdict(dict)
    for entry in report["candidates"]:
        for series in entry["scores"]:
            on = series["yardstick"]
            name = series["score"] if on is None else f"{series['score']} @ {on}"
            scores[name][entry["candidate"]] = mean(series["values"])
    return scores


def damage_of(folder):
    """{(sparsity, method): {text: {candidate: mean over the seeds}}}."""
    found = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for path in sorted((folder / "cells").glob("*.json")):
        cell = json.loads(path.read_text("utf-8"))
        options = cell["identity"]["options"]
        candidate = " + ".join(options["calibration"])
        for measure, value in cell["measures"].items():
            if measure.startswith("loss "):
                setting = (options["sparsity"], options["method"])
                found[setting][measure.removeprefix("loss ")][candidate].append(value)
    return {
        setting: {
            text: {candidate: mean(values) for candidate, values in candidates.items()}
            for text, candidates in texts.items()
        }
        for setting, texts in found.items()
    }


def correlations(scores, losses, names):
    """{score: correlation with the loss} over the candidates `names`."""
    found = {}
    for score, values in scores.items():
        sign = -1 if score.split(" @ ")[0] in HIGHER_IS_BETTER else 1
        found[score] = spearman([sign * values[name] for name in names], [losses[n] for n in names])
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("rank", type=Path)
    arguments.add_argument("results", type=Path)
    arguments.add_argument("--without", action="append", default=[], metavar="NAME")
    options = arguments.parse_args()
    scores = scores_of(json.loads(options.rank.read_text("utf-8")))
    over_all = defaultdict(list)
    for (sparsity, method), texts in damage_of(options.results).items():
        shown = [score for score in scores if " @ " not in score]
        means = defaultdict(list)
        print(f"\n## {method}, {sparsity}\n")
        print("| held-out text | candidates | " + " | ".join(shown) + " |")
        print("|---|" + "---:|" * (len(shown) + 1))
        for text, losses in sorted(texts.items()):
            known = next(iter(scores.values()))
            names = [n for n in losses if n in known and n not in options.without]
            if len(names) < 3:
                raise SystemExit(f"{text}: {len(names)} candidates in both files, 3 expected")
            found = correlations(scores, losses, names)
            for score in shown:
                means[score].append(found[score])
            # a score on the text itself, where rank had it as a yardstick
            own = {s: v for s, v in found.items() if s.endswith(f" @ {text}")}
            for score, value in own.items():
                over_all[score.split(" @ ")[0] + ", on the text itself"].append(value)
            cells = [f"{found[score]:+.2f}" for score in shown]
            print(f"| {text} | {len(names)} | " + " | ".join(cells) + " |")
        print("| mean | | " + " | ".join(f"{mean(means[score]):+.2f}" for score in shown) + " |")
        for score in shown:
            over_all[score].extend(means[score])
    print("\n## Over all methods, sparsities and texts\n\n| score | mean | least |\n|---|---:|---:|")
    for score, values in sorted(over_all.items(), key=lambda pair: -mean(pair[1])):
        print(f"| {score} | {mean(values):+.2f} | {min(values):+.2f} |")


if __name__ == "__main__":
    main()
