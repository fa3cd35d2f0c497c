"""Compares `atrous score` with cityscapesScripts, scikit-learn and the published formula of PQ.

usage: check.py ATROUS SCENES PREDICTIONS [SPLIT]

PREDICTIONS is what make_predictions.py wrote. Needs cityscapesScripts, whose panoptic evaluation is
that of panopticapi, and scikit-learn. Ends with status 1 if a figure differs by more than 1e-9.
"""
import contextlib, glob, io, json, math, os, subprocess, sys
import numpy as np
from PIL import Image

atrous, scenes, out = sys.argv[1:4]
split = sys.argv[4] if len(sys.argv) > 4 else "val"
os.environ["CITYSCAPES_DATASET"] = scenes
os.environ["CITYSCAPES_RESULTS"] = f"{out}/labels"
if not hasattr(np, "in1d"):  # NumPy 2.4 dropped the name that cityscapesScripts 2.3 uses
    np.in1d = lambda a, b, invert=False: np.isin(np.ravel(a), b, invert=invert)
import cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling as official
from cityscapesscripts.helpers.labels import id2label, name2label

worst = 0.0
def same(what, ours, theirs):
    global worst
    ours = math.nan if ours is None else ours
    gap = 0.0 if math.isnan(ours) and math.isnan(theirs) else abs(ours - theirs)
    if math.isnan(gap) or gap > 1e-9:
        print(f"DIFFERS {what}: {ours!r} and {theirs!r}")
        gap = math.inf
    worst = max(worst, gap)

ours = json.loads(subprocess.run(
    [atrous, "score", scenes, f"{out}/labels", "--split", split, "--json"],
    check=True, capture_output=True, text=True).stdout)
truth = sorted(glob.glob(f"{scenes}/gtFine/{split}/*/*_gtFine_labelIds.png"))
with contextlib.redirect_stdout(io.StringIO()):
    official.args.quiet = True
    official.args.JSONOutput = False
    predictions = [official.getPrediction(official.args, f) for f in truth]
    theirs = official.evaluateImgLists(predictions, truth, official.args)
for entry in ours["scores"]["classes"]:
    same("IoU " + entry["name"], entry["iou"], theirs["classScores"][entry["name"]])
same("mean IoU", ours["scores"]["meanIoU"], theirs["averageScoreClasses"])
city = ours["cityscapes"]
for kind, key in (("categories", "categoryScores"), ("instanceClasses", "classInstScores"),
                  ("instanceCategories", "categoryInstScores")):
    for entry in city[kind]:
        same(f"{kind} {entry['name']}", entry.get("score"), theirs[key][entry["name"]])
    found = [e["score"] for e in city[kind] if e.get("score") is not None]
    average = {"categories": "averageScoreCategories", "instanceClasses": "averageScoreInstClasses",
               "instanceCategories": "averageScoreInstCategories"}[kind]
    same(average, sum(found) / len(found), theirs[average])
print(f"cityscapesScripts: {len(truth)} images, mean IoU {theirs['averageScoreClasses']:.6f}, "
      f"iIoU {theirs['averageScoreInstClasses']:.6f}, category IoU {theirs['averageScoreCategories']:.6f}, "
      f"category iIoU {theirs['averageScoreInstCategories']:.6f}; worst difference {worst:.2e}")

from sklearn.metrics import jaccard_score, f1_score, accuracy_score
table = np.full(256, 255)
for label in id2label.values():
    if label.id >= 0 and not label.ignoreInEval:
        table[label.id] = label.trainId
counted, guessed, images = [], [], []
for a, b in zip(truth, predictions):
    t, p = table[np.array(Image.open(a))], table[np.array(Image.open(b))]
    keep = t != 255
    counted.append(t[keep].astype(np.uint8)); guessed.append(p[keep].astype(np.uint8))
    images.append([jaccard_score(counted[-1], guessed[-1], average=m, zero_division=0,
                                 labels=sorted(set(np.unique(counted[-1])) | set(np.unique(guessed[-1])) - {255}))
                   for m in ("micro", "macro", "weighted")] + [accuracy_score(counted[-1], guessed[-1])])
t, p = np.concatenate(counted), np.concatenate(guessed)
assert set(range(14, 19)) <= set(np.unique(t)), "training ids 14 to 18 must occur"
before, worst = worst, 0.0
labels = sorted((set(np.unique(t)) | set(np.unique(p))) - {255})
scores = ours["scores"]
for kind, key in (("micro", "jaccardMicro"), ("macro", "jaccardMacro"), ("weighted", "jaccardWeighted")):
    same("Jaccard " + kind, scores[key], jaccard_score(t, p, average=kind, labels=labels, zero_division=0))
same("macro F1", scores["meanDice"], f1_score(t, p, average="macro", labels=labels, zero_division=0))
same("accuracy", scores["pixelAccuracy"], accuracy_score(t, p))
means = np.mean(images, 0)
for i, key in enumerate(("jaccardMicro", "meanIoU", "jaccardWeighted", "pixelAccuracy")):
    entry = scores["perImage"][key]
    same(key + " per image", entry["sum"] / entry["count"], means[i])
print(f"scikit-learn: {len(t)} pixels; worst difference {worst:.2e}")
before, worst = max(before, worst), 0.0

ours = json.loads(subprocess.run(
    [atrous, "score", f"{out}/truth.json", f"{out}/prediction.json", "--json"],
    check=True, capture_output=True, text=True).stdout)

def published():
    """PQ by the formula of Kirillov et al., with whole masks and no tables of pairs."""
    files = [json.load(open(f"{out}/{n}.json")) for n in ("truth", "prediction")]
    stats = {c["id"]: [0, 0, 0, 0.0] for c in files[0]["categories"]}
    others = {a["image_id"]: a for a in files[1]["annotations"]}
    def ids(folder, a):
        p = np.array(Image.open(f"{out}/{folder}/{a['file_name']}")).astype(np.int64)
        return p[..., 0] + 256 * p[..., 1] + 65536 * p[..., 2]
    for a in files[0]["annotations"]:
        b = others[a["image_id"]]
        x, y = ids("truth", a), ids("prediction", b)
        used = set()
        for s in a["segments_info"]:
            if s["iscrowd"]:
                continue
            mask, hit = x == s["id"], False
            for r in b["segments_info"]:
                if r["category_id"] != s["category_id"]:
                    continue
                other = (y == r["id"]) & (x != 0)
                iou = (mask & other).sum() / (mask | other).sum()
                if iou > 0.5:
                    stats[s["category_id"]][0] += 1; stats[s["category_id"]][3] += iou
                    used.add(r["id"]); hit = True
            stats[s["category_id"]][2] += not hit
        for r in b["segments_info"]:
            if r["id"] in used:
                continue
            other = y == r["id"]
            excused = x == 0
            crowds = [s["id"] for s in a["segments_info"] if s["iscrowd"] and s["category_id"] == r["category_id"]]
            for c in crowds[-1:]:
                excused = excused | (x == c)
            stats[r["category_id"]][1] += (other & excused).sum() / other.sum() <= 0.5
    return stats

stats = published()
quality = []
for entry in ours["entries"]:
    tp, fp, fn, iou = stats[int(entry["name"])]
    assert (entry["hits"], entry["falseHits"], entry["misses"]) == (tp, fp, fn), (entry, tp, fp, fn)
    if tp + fp + fn:
        quality.append((iou / (tp + fp / 2 + fn / 2), iou / tp if tp else 0, tp / (tp + fp / 2 + fn / 2)))
        for key, value in zip(("pq", "sq", "rq"), quality[-1]):
            same(f"{key} {entry['name']}", entry[key], value)
for key, value in zip(("pq", "sq", "rq"), np.mean(quality, 0)):
    same(key, ours["all"][key], value)

import cityscapesscripts.evaluation.evalPanopticSemanticLabeling as panoptic
files = [json.load(open(f"{out}/{n}.json")) for n in ("truth", "prediction")]
answers = {a["image_id"]: a for a in files[1]["annotations"]}
categories = {c["id"]: c for c in files[0]["categories"]}
with contextlib.redirect_stdout(io.StringIO()):
    official_pq = panoptic.average_pq(panoptic.pq_compute_single_core(
        0, [(a, answers[a["image_id"]]) for a in files[0]["annotations"]],
        f"{out}/truth", f"{out}/prediction", categories), categories)
for kind in ("All", "Things", "Stuff"):
    for key in ("pq", "sq", "rq"):
        same(f"official {key}, {kind}", ours[kind.lower()][key], official_pq[kind][key])
for entry in ours["entries"]:
    if entry.get("pq") is not None:
        for key in ("pq", "sq", "rq"):
            same(f"official {key} {entry['name']}", entry[key], official_pq["per_class"][int(entry["name"])][key])
print(f"cityscapesScripts' panoptic evaluation and the published formula: PQ {ours['all']['pq']:.6f}, "
      f"SQ {ours['all']['sq']:.6f}, RQ {ours['all']['rq']:.6f}; worst difference {worst:.2e}")
sys.exit(int(max(before, worst) > 1e-9))
