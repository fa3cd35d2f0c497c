#!/usr/bin/env python3
"""Times `atrous score` against cityscapesScripts on the same files.

Label files of generated scenes and predictions that are wrong on purpose are linked under new names until
there are as many as are asked for. Both tools take turns, each from its start to its end in a process of
its own. Prints medians, peak memory and ratios as Markdown.
"""

import glob
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import alone, cells, compare, parser, run, timed  # noqa: E402

PACKAGES = ["cityscapesScripts", "numpy", "pillow"]
WORK = {
    "classes, categories and instances": ([], "instances"),
    "classes and categories": (["--no-instances"], "plain"),
}


def arguments(words=None):
    result = parser(__doc__, "out/scoring", "2048x1024", None)
    result.add_argument("--scenes", type=int, default=20, help="different images")
    result.add_argument("--count", type=int, default=500, help="images that are scored")
    return result.parse_args(words)


def files(options, python):
    """Folders in the layout of Cityscapes and of predictions."""
    folder = os.path.abspath(options.folder)
    stem = os.path.join(folder, f"scenes-{options.size}-{options.scenes}")
    scenes, predictions = stem, stem + "-predictions"
    if not os.path.exists(predictions):
        run([options.atrous, "scenes", scenes, "--train", "1", "--val", str(options.scenes), "--size",
             options.size])
        run([python, os.path.join(HERE, "make_predictions.py"), scenes, predictions])
    linked = os.path.join(folder, "linked")
    shutil.rmtree(linked, ignore_errors=True)
    truth, results = os.path.join(linked, "gtFine/val/bench"), os.path.join(linked, "results")
    os.makedirs(truth)
    os.makedirs(results)
    found = sorted(glob.glob(f"{scenes}/gtFine/val/*/*_gtFine_labelIds.png"))
    for index in range(options.count):
        file = found[index % len(found)]
        name = os.path.basename(file)[: -len("_gtFine_labelIds.png")]
        new = f"bench_{index:06d}_000000"
        for kind in ("labelIds", "instanceIds"):
            os.symlink(file.replace("labelIds", kind), f"{truth}/{new}_gtFine_{kind}.png")
        os.symlink(f"{predictions}/labels/{name}_pred_labelIds.png", f"{results}/{new}_pred.png")
    return linked, results


def rows(options, python, failed):
    """The table, the columns' names first: a row for each kind of score."""
    columns = ["atrous score", "cityscapesScripts"]
    yield [f"scores of {options.count} images"] + columns + ["cityscapesScripts / atrous"]
    folder, results = files(options, python)
    variables = {
        "CITYSCAPES_DATASET": folder, "CITYSCAPES_RESULTS": results,
        "CITYSCAPES_EXPORT_DIR": folder, "OMP_NUM_THREADS": str(options.threads),
    }
    for what, (option, word) in WORK.items():
        commands = {
            columns[0]: [options.atrous, "score", folder, results, *option],
            columns[1]: [python, os.path.join(HERE, "peer.py"), word],
        }
        seconds, memory = compare(
            columns, options.rounds, lambda name: timed(commands[name], variables),
            lambda name, why: failed(f"{what}, {name}", why),
        )
        shown = cells(columns, seconds, memory)
        whole = len(seconds) == len(columns)
        yield [what, *shown, f"{seconds[columns[1]] / seconds[columns[0]]:.1f}" if whole else ""]


if __name__ == "__main__":
    sys.exit(alone(arguments, rows, PACKAGES))
