"""Compares `atrous score --as all` with the packages whose definitions it computes.

usage: libraries.py ATROUS FOLDER [COUNT]

Writes COUNT sets of label files (300 unless said) into FOLDER: one to four images, 2 to 9 classes, absent classes, classes
that are only predicted, ignored pixels, images without any label. Each is scored by `atrous score` and by
torchmetrics 1.9.0, segmentation_models_pytorch 0.6.0, monai 1.6.1, scikit-learn 1.9.1, keras 3.15.1 on torch, and the
metrics of mmsegmentation 1.2.2 and ultralytics 8.4.190, of which only the files with the metrics are read. Packages
compute in double precision here, as far as they let themselves be told; a package that is missing is left out and
named. Ends with status 1 if a figure differs by more than 1e-9, or 1e-6 where a package insists on float32.
"""
import importlib.util, json, math, os, subprocess, sys, types, warnings

os.environ["KERAS_BACKEND"] = "torch"
warnings.simplefilter("ignore")
import numpy as np
import torch
from PIL import Image

atrous, folder = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 300
torch.set_default_dtype(torch.float64)
# Packages turn counts into float32 by these two before they divide.
torch.Tensor.float = torch.Tensor.double


def module(name, *path):
    """A file of an installed package, without what the package imports besides."""
    for root in sys.path:
        file = os.path.join(root, *path)
        if os.path.isfile(file):
            spec = importlib.util.spec_from_file_location(name, file)
            loaded = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(loaded)
            return loaded
    raise ImportError("/".join(path))


def torchmetrics(truth, prediction, classes):
    from torchmetrics.classification import MulticlassJaccardIndex
    from torchmetrics.segmentation import MeanIoU
    for average in ("macro", "micro", "weighted"):
        metric = MulticlassJaccardIndex(classes, average=average, ignore_index=255, validate_args=False)
        for t, p in zip(truth, prediction):
            metric.update(p[None], t[None])
        yield f'MulticlassJaccardIndex(average="{average}")', metric.compute()
    # It has no ignored value: pixels that are ignored are cut out, image by image.
    metric = MeanIoU(classes, input_format="index").set_dtype(torch.float64)
    for t, p in zip(truth, prediction):
        metric.update(p[t != 255][None, None], t[t != 255][None, None])
    yield 'segmentation.MeanIoU(input_format="index")', metric.compute()


def smp(truth, prediction, classes):
    import segmentation_models_pytorch.metrics as metrics
    rows = [metrics.get_stats(p[None], t[None], mode="multiclass", num_classes=classes, ignore_index=255)
            for t, p in zip(truth, prediction)]
    stats = [torch.cat(part).double() for part in zip(*rows)]
    for name in ("iou_score", "f1_score"):
        for reduction in ("micro", "macro", "micro-imagewise", "macro-imagewise"):
            yield (f'{name}(reduction="{reduction}")',
                   getattr(metrics, name)(*stats, reduction=reduction, zero_division=1.0))


def monai(truth, prediction, classes):
    from monai.metrics import DiceMetric, MeanIoU
    def one_hot(labels, valid):
        return (torch.arange(classes)[:, None, None] == labels) * valid * 1.0
    rows = [(one_hot(p, t != 255)[None], one_hot(t, t != 255)[None]) for t, p in zip(truth, prediction)]
    for name, metric, mean in (
            ("MeanIoU()", MeanIoU(), False),
            ('MeanIoU(reduction="mean_batch").mean()', MeanIoU(reduction="mean_batch"), True),
            ("MeanIoU(ignore_empty=False)", MeanIoU(ignore_empty=False), False),
            ("DiceMetric()", DiceMetric(), False)):
        for p, t in rows:
            metric(p, t)
        value = metric.aggregate()
        yield name, value.mean() if mean else value


def sklearn(truth, prediction, classes):
    from sklearn.metrics import jaccard_score
    t = np.concatenate([x[x != 255].numpy() for x in truth])
    p = np.concatenate([y[x != 255].numpy() for x, y in zip(truth, prediction)])
    if not len(t):
        return
    yield 'jaccard_score(labels=range(K), average="macro")', jaccard_score(
        t, p, labels=range(classes), average="macro", zero_division=0)
    for average in ("macro", "micro", "weighted"):
        yield f'jaccard_score(average="{average}")', jaccard_score(t, p, average=average, zero_division=0)


def keras(truth, prediction, classes):
    import keras
    metric = keras.metrics.MeanIoU(num_classes=classes, ignore_class=255)
    for t, p in zip(truth, prediction):
        metric.update_state(t.numpy().ravel(), p.numpy().ravel())
    yield "MeanIoU(num_classes=K)", metric.result()


def mmseg(truth, prediction, classes):
    for name in ("mmengine", "mmengine.dist", "mmengine.evaluator", "mmengine.logging", "mmengine.utils",
                 "prettytable", "mmseg", "mmseg.registry"):
        sys.modules.setdefault(name, types.ModuleType(name))
    stand_in = type("Any", (), {"register_module": staticmethod(lambda *a, **k: lambda cls: cls)})
    for name, attribute in (("mmengine.dist", "is_main_process"), ("mmengine.evaluator", "BaseMetric"),
                            ("mmengine.logging", "MMLogger"), ("mmengine.logging", "print_log"),
                            ("mmengine.utils", "mkdir_or_exist"), ("prettytable", "PrettyTable"),
                            ("mmseg.registry", "METRICS")):
        if not hasattr(sys.modules[name], attribute):
            setattr(sys.modules[name], attribute, stand_in)
    metric = module("iou_metric", "mmseg", "evaluation", "metrics", "iou_metric.py").IoUMetric
    areas = [metric.intersect_and_union(p, t, classes, 255) for t, p in zip(truth, prediction)]
    sums = [sum(part) for part in zip(*areas)]
    found = metric.total_area_to_metrics(*sums, metrics=["mIoU", "mDice"])
    for name, key in (("mIoU", "IoU"), ("mAcc", "Acc"), ("mDice", "Dice")):
        yield name, np.nanmean(found[key])
    yield "aAcc", found["aAcc"]


def ultralytics(truth, prediction, classes):
    from ultralytics.utils.metrics import SemanticMetrics
    metric = SemanticMetrics({i: str(i) for i in range(classes)})
    for t, p in zip(truth, prediction):
        metric.update_stats(p[None], t[None])
    metric.process()
    yield "mIoU", metric._miou
    yield "PixAcc", metric._pixel_accuracy


PACKAGES = {"torchmetrics": (torchmetrics, 1e-9), "smp": (smp, 1e-9), "monai": (monai, 1e-6),
            "sklearn": (sklearn, 1e-9), "keras": (keras, 1e-6), "mmseg": (mmseg, 1e-9),
            "ultralytics": (ultralytics, 1e-6)}
worst = {name: 0.0 for name in PACKAGES}
compared = {name: 0 for name in PACKAGES}
missing = {}
failed = False
rng = np.random.default_rng(0)
for index in range(count):
    classes = int(rng.integers(2, 10))
    used = rng.choice(classes, size=int(rng.integers(1, classes + 1)), replace=False)
    truth, prediction = [], []
    home = f"{folder}/{index}"
    for part in ("truth", "predicted"):
        os.makedirs(f"{home}/{part}", exist_ok=True)
    for image in range(int(rng.integers(1, 5))):
        height, width = (int(v) for v in rng.integers(1, 40, size=2))
        t = used[rng.integers(0, len(used), size=(height, width))]
        p = np.where(rng.random(t.shape) < rng.random(), t, rng.integers(0, classes, size=t.shape))
        if rng.random() < 0.6:
            t = np.where(rng.random(t.shape) < rng.random() ** 2, 255, t)
        if rng.random() < 0.03:
            t = np.full(t.shape, 255)
        for labels, part in ((t, "truth"), (p, "predicted")):
            Image.fromarray(labels.astype(np.uint8)).save(f"{home}/{part}/{image}.png")
        truth.append(torch.from_numpy(t.astype(np.int64)))
        prediction.append(torch.from_numpy(p.astype(np.int64)))
    entries = [f"{i}=c{i}" for i in range(classes)] + ["255=ignored"]
    run = subprocess.run(
        [atrous, "score", f"{home}/truth", f"{home}/predicted", "--classes", ",".join(entries), "--as", "all", "--json"],
        capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"set {index}: {run.stderr}")
    ours = {(f["library"], f["name"]): f.get("value") for f in json.loads(run.stdout)["libraries"]["figures"]}
    for library, (figures, tolerance) in PACKAGES.items():
        if library in missing:
            continue
        try:
            theirs = list(figures(truth, prediction, classes))
        except ImportError as error:
            missing[library] = error
            continue
        for name, value in theirs:
            value, own = float(value), ours[library, name]
            if math.isnan(value) or own is None:
                gap = 0.0 if math.isnan(value) and own is None else math.inf
            else:
                gap = abs(value - own)
            if gap > tolerance:
                failed = True
                print(f"DIFFERS {home} {library} {name}: {own} and {value}")
            worst[library] = max(worst[library], gap)
            compared[library] += 1
for library in PACKAGES:
    print(f"{library}: " + (f"left out, {missing[library]}" if library in missing else
                            f"{compared[library]} figures of {count} sets, worst difference {worst[library]:.1e}"))
sys.exit(failed)
