"""Writes predictions that are wrong on purpose for scenes in the layout of Cityscapes.

usage: make_predictions.py SCENES OUTPUT [SPLIT]

Below OUTPUT: `labels/*_pred_labelIds.png` for the pixel-level evaluation, and panoptic files
`truth.json`, `truth/`, `prediction.json`, `prediction/` for panoptic quality. Everything follows from
the files' names; labels of all kinds, ignored and not, are predicted somewhere.
"""
import glob, json, os, sys, zlib
import numpy as np
from PIL import Image

scenes, out = sys.argv[1], sys.argv[2]
split = sys.argv[3] if len(sys.argv) > 3 else "val"
evaluated = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
for name in ("labels", "truth", "prediction"):
    os.makedirs(f"{out}/{name}", exist_ok=True)


def panoptic(labels, instances):
    """Segments: things by instance, the rest by label; what is not evaluated is void."""
    ids = np.zeros(labels.shape, np.int64)
    for value in np.unique(instances):
        label = int(value) // 1000 if value > 1000 else int(value)
        if label in evaluated:
            ids[instances == value] = int(value) if value > 1000 else label * 1000
    return ids


def write(folder, name, ids, crowd=()):
    Image.fromarray(
        np.stack([ids & 255, ids >> 8 & 255, ids >> 16 & 255], -1).astype(np.uint8)
    ).save(f"{out}/{folder}/{name}.png")
    return {
        "image_id": name, "file_name": f"{name}.png",
        "segments_info": [
            {"id": int(i), "category_id": int(i) // 1000, "iscrowd": int(i in crowd),
             "area": int((ids == i).sum())} for i in np.unique(ids) if i != 0],
    }


truth_list, prediction_list = [], []
for file in sorted(glob.glob(f"{scenes}/gtFine/{split}/*/*_gtFine_labelIds.png")):
    name = os.path.basename(file)[: -len("_gtFine_labelIds.png")]
    random = np.random.default_rng(zlib.crc32(name.encode()))
    truth = np.array(Image.open(file))
    instances = np.array(Image.open(file.replace("labelIds", "instanceIds"))).astype(np.int64)
    # A shift, blocks of any label (ignored ones too), salt, and whole classes swapped.
    dy, dx = random.integers(-4, 5, 2)
    prediction = np.roll(truth, (dy, dx), (0, 1))
    guessed = np.roll(instances, (dy, dx), (0, 1))
    height, width = truth.shape
    for _ in range(12):
        y, x = random.integers(0, height), random.integers(0, width)
        h, w = random.integers(4, height // 4), random.integers(4, width // 4)
        label = int(random.integers(0, 34)) if random.random() < 0.5 else int(random.choice(evaluated[11:]))
        prediction[y:y + h, x:x + w] = label
        guessed[y:y + h, x:x + w] = label * 1000 + 900 if label >= 24 else label
    salt = random.random(truth.shape) < 0.02
    prediction[salt] = random.choice(evaluated, salt.sum())
    a, b = random.choice([24, 25, 26, 27, 28, 31, 32, 33], 2, replace=False)
    prediction[prediction == a] = b
    Image.fromarray(prediction.astype(np.uint8)).save(f"{out}/labels/{name}_pred_labelIds.png")

    ids = panoptic(truth, instances)
    things = [i for i in np.unique(ids) if i > 24000]
    crowd = things[:1] if random.random() < 0.2 else ()
    truth_list.append(write("truth", name, ids, crowd))
    prediction_list.append(write("prediction", name, panoptic(np.where(guessed > 1000, guessed // 1000, guessed), guessed)))

categories = [{"id": i, "name": str(i), "isthing": int(i >= 24)} for i in evaluated]
for name, annotations in (("truth", truth_list), ("prediction", prediction_list)):
    with open(f"{out}/{name}.json", "w") as file:
        json.dump({"annotations": annotations, "categories": categories,
                   "images": [{"id": a["image_id"], "file_name": a["file_name"]} for a in annotations]}, file)
print(len(truth_list), "predictions in", out)
