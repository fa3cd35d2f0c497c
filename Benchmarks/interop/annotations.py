"""Annotations that Atrous writes, read by the tools that they are for, compared pixel by pixel.

    python Benchmarks/interop/annotations.py EXPORTS [--tools coco,labelme,...] [--atrous PATH]

EXPORTS is a folder of exports, each with the masks that its tool makes of it in `expected/` and their classes in
`classes.txt`. Each is converted by `atrous data convert` to every form whose tool can be imported here, read by the tool,
and compared with `expected/`. Tools that are not installed are named and left out: label-studio-sdk and supervisely want
environments of their own, as their dependencies exclude those of others.
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import contextlib
import logging

import numpy as np
from PIL import Image

NOTHING = "-"


def expected(folder, classes):
    """The class names of each image's pixels, by the image's name."""
    names = open(classes).read().split("\n")
    table = np.array([names[i] if i < len(names) and names[i] else NOTHING for i in range(256)], dtype=object)
    found = {}
    for path in sorted(glob.glob(f"{folder}/expected/*.png")):
        found[os.path.basename(path)[:-4]] = table[np.array(Image.open(path))]
    return found


def blank(height, width):
    return np.full((height, width), NOTHING, dtype=object)


def stem(name):
    return os.path.basename(name).rsplit(".", 1)[0]


def read_folders(folder):
    names = open(f"{folder}/classes.txt").read().split("\n")
    for path in glob.glob(f"{folder}/labels/**/*.png", recursive=True):
        table = np.array([names[i] if i < len(names) and names[i] else NOTHING for i in range(256)], dtype=object)
        yield stem(path), table[np.array(Image.open(path))]


def read_coco(folder):
    from pycocotools.coco import COCO

    for file in glob.glob(f"{folder}/annotations/instances_*.json"):
        coco = COCO(file)
        for id, image in coco.imgs.items():
            mask = blank(image["height"], image["width"])
            for annotation in coco.dataset["annotations"]:
                if annotation["image_id"] == id:
                    inside = coco.annToMask(annotation) > 0
                    assert inside.sum() == annotation["area"], annotation["id"]
                    mask[inside] = coco.cats[annotation["category_id"]]["name"]
            yield stem(image["file_name"]), mask


def read_labelme(folder):
    import labelme._label_file as files
    from labelme.utils import shapes_to_label

    for file in glob.glob(f"{folder}/**/*.json", recursive=True):
        label = files.LabelFile(file)
        names = sorted({shape["label"] for shape in label.shapes})
        height, width = json.load(open(file))["imageHeight"], json.load(open(file))["imageWidth"]
        shapes = [dict(s) for s in label.shapes]
        classes, _ = shapes_to_label((height, width), shapes, {n: i + 1 for i, n in enumerate(names)})
        table = np.array([NOTHING] + names, dtype=object)
        yield stem(json.load(open(file))["imagePath"]), table[classes]


def read_yolo(folder):
    """The rule of Ultralytics' polygons2masks_overlap, with OpenCV."""
    import cv2
    import yaml

    names = yaml.safe_load(open(f"{folder}/data.yaml"))["names"]
    for path in sorted(glob.glob(f"{folder}/images/**/*.*", recursive=True)):
        width, height = Image.open(path).size
        labels = os.path.join(folder, "labels", os.path.relpath(path, f"{folder}/images")).rsplit(".", 1)[0] + ".txt"
        shapes = []
        for line in open(labels) if os.path.exists(labels) else []:
            words = line.split()
            points = np.array(words[1:], dtype=np.float32).reshape(-1, 2) * np.array([width, height], dtype=np.float32)
            one = np.zeros((height, width), np.uint8)
            cv2.fillPoly(one, [np.asarray(points, dtype=np.int32)], color=1)
            shapes.append((names[int(words[0])], one))
        mask = blank(height, width)
        for name, one in sorted(shapes, key=lambda s: -int(s[1].sum())):
            mask[one > 0] = name
        yield stem(path), mask


def datumaro(form):
    def read(folder):
        import datumaro as dm
        from pycocotools import mask as runs

        data = dm.Dataset.import_from(folder, form)
        names = [label.name for label in data.categories()[dm.AnnotationType.label].items]
        for item in data:
            width, height = None, None
            if item.media is not None and item.media.has_data:
                height, width = item.media.size or item.media.data.shape[:2]
            elif item.media is not None and item.media.size:
                height, width = item.media.size
            mask = blank(height, width)
            for annotation in sorted(item.annotations, key=lambda a: a.z_order):
                if annotation.type == dm.AnnotationType.mask:
                    inside = annotation.image > 0
                elif annotation.type == dm.AnnotationType.polygon:
                    inside = runs.decode(runs.merge(runs.frPyObjects([list(annotation.points)], height, width))) > 0
                else:
                    continue
                name = names[annotation.label]
                mask[inside] = NOTHING if name == "ignored" else name
            yield stem(item.id + ".png"), mask

    return read


def read_label_studio(folder):
    from label_studio_sdk.converter import Converter
    from pycocotools import mask as runs

    out = tempfile.mkdtemp()
    try:
        converter = Converter(
            open(f"{folder}/label_config.xml").read(), project_dir=folder, upload_dir=f"{folder}/images",
            download_resources=False)
        converter.convert_to_coco(f"{folder}/result.json", out, output_image_dir=f"{out}/images", is_dir=False)
        data = json.load(open(f"{out}/result.json"))
        names = {c["id"]: c["name"] for c in data["categories"]}
        for image in data["images"]:
            height, width = image["height"], image["width"]
            if height is None:
                continue  # nothing was drawn, so that the converter knows no size
            mask = blank(height, width)
            for annotation in data["annotations"]:
                if annotation["image_id"] == image["id"]:
                    inside = runs.decode(runs.merge(runs.frPyObjects(annotation["segmentation"], height, width))) > 0
                    mask[inside] = names[annotation["category_id"]]
            # The converter puts a hash of the path before the name.
            yield stem(image["file_name"]).split("__", 1)[-1], mask
    finally:
        shutil.rmtree(out)


def read_supervisely(folder):
    import supervisely as sly

    project = sly.Project(folder, sly.OpenMode.READ)
    for dataset in project.datasets:
        for name in dataset:
            annotation = dataset.get_ann(name, project.meta)
            mask = np.zeros(annotation.img_size, np.int32)
            names = [NOTHING] + [c.name for c in project.meta.obj_classes]
            for label in annotation.labels:
                one = np.zeros(annotation.img_size, np.uint8)
                label.geometry.draw(one, 1)
                mask[one > 0] = names.index(label.obj_class.name)
            yield stem(name), np.array(names, dtype=object)[mask]


def read_via(folder):
    from pycocotools import mask as runs

    data = json.load(open(f"{folder}/via_project.json"))["_via_img_metadata"]
    for entry in data.values():
        width, height = Image.open(f"{folder}/{entry['filename']}").size
        mask = blank(height, width)
        for region in entry["regions"]:
            shape = region["shape_attributes"]
            ring = [v for pair in zip(shape["all_points_x"], shape["all_points_y"]) for v in pair]
            inside = runs.decode(runs.merge(runs.frPyObjects([ring], height, width))) > 0
            mask[inside] = region["region_attributes"]["class"]
        yield stem(entry["filename"]), mask


def read_geojson(folder):
    """Even-odd at the middles of pixels, as GDAL rasterizes."""
    from shapely.geometry import shape

    for file in glob.glob(f"{folder}/**/*.geojson", recursive=True):
        features = json.load(open(file))["features"]
        if not features:
            continue
        geometries = [(f["properties"]["class"], shape(f["geometry"])) for f in features]
        for _, geometry in geometries:
            assert geometry.is_valid, (file, geometry)
        yield stem(file), geometries


READERS = {
    "folders": read_folders,
    "coco": read_coco,
    "coco-panoptic": datumaro("coco_panoptic"),
    "labelme": read_labelme,
    "yolo": read_yolo,
    "voc": datumaro("voc_segmentation"),
    "camvid": datumaro("camvid"),
    "cityscapes": datumaro("cityscapes"),
    "cvat": datumaro("cvat"),
    "label-studio": read_label_studio,
    "supervisely": read_supervisely,
    "via": read_via,
    "geojson": read_geojson,
}
NEEDS = {
    "coco": ["pycocotools"], "coco-panoptic": ["datumaro"], "labelme": ["labelme"], "yolo": ["cv2", "yaml"],
    "voc": ["datumaro"], "camvid": ["datumaro"], "cityscapes": ["datumaro"], "cvat": ["datumaro", "pycocotools"],
    "label-studio": ["label_studio_sdk", "pycocotools"], "supervisely": ["supervisely"], "via": ["pycocotools"],
    "geojson": ["shapely"], "folders": [],
}


def has(module):
    import importlib.util

    return importlib.util.find_spec(module) is not None


def differences(name, got, wanted, ignores_background):
    """The pixels that differ; geometries are looked at by their areas and the middles of pixels."""
    if isinstance(got, list):
        from shapely import contains_xy

        mask = blank(*wanted.shape)
        ys, xs = np.mgrid[: wanted.shape[0], : wanted.shape[1]] + 0.5
        for label, geometry in got:
            mask[contains_xy(geometry, xs, ys)] = label
        got = mask
    if got.shape != wanted.shape:
        return got.size
    if ignores_background:
        # datumaro gives no annotation, or one, for what is background: both say the same.
        got, wanted = got.copy(), wanted.copy()
        got[got == "background"] = NOTHING
        wanted[wanted == "background"] = NOTHING
    return int((got != wanted).sum())


def main():
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exports")
    parser.add_argument("--tools", help="the forms, separated by commas; by default those whose tools are here")
    parser.add_argument("--only", help="exports whose path contains this")
    parser.add_argument("--atrous", default=".build/release/atrous")
    parser.add_argument("--folder", help="keep what is written here")
    options = parser.parse_args()
    tools = options.tools.split(",") if options.tools else list(READERS)
    for tool in list(tools):
        missing = [m for m in NEEDS[tool] if not has(m)]
        if missing:
            print(f"{tool}: left out, as {', '.join(missing)} is not installed")
            tools.remove(tool)
    sources = sorted(os.path.dirname(p) for p in glob.glob(f"{options.exports}/**/expected", recursive=True))
    sources = [s for s in sources if not options.only or options.only in s]
    root = options.folder or tempfile.mkdtemp()
    bad, done = 0, 0
    for source in sources:
        names = source if os.path.exists(f"{source}/classes.txt") else os.path.dirname(source)
        wanted = expected(source, f"{names}/classes.txt")
        for tool in tools:
            target = f"{root}/{os.path.relpath(source, options.exports).replace('/', '_')}-{tool}"
            shutil.rmtree(target, ignore_errors=True)
            command = [options.atrous, "data", "convert", source, "--to", tool, "--output", target]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode:
                print(f"{source} -> {tool}: {result.stderr.strip()[-300:]}")
                bad += 1
                continue
            seen, pixels, problems = 0, 0, []
            try:
                with contextlib.redirect_stdout(open(os.devnull, "w")), contextlib.redirect_stderr(open(os.devnull, "w")):
                    found = list(READERS[tool](target))
                for name, got in found:
                    if name not in wanted:
                        problems.append(f"{name}: not an image of the export")
                        continue
                    seen += 1
                    count = differences(name, got, wanted[name], tool in ("voc", "camvid", "cityscapes"))
                    pixels += wanted[name].size
                    if count:
                        problems.append(f"{name}: {count} pixels differ")
            except Exception as error:  # the tool's own failures are results, too
                problems.append(f"{type(error).__name__}: {error}"[:400])
            # Tools that list objects know nothing of images without any.
            empty = sum(1 for m in wanted.values() if (m == NOTHING).all())
            if seen < len(wanted) - (empty if tool in ("labelme", "geojson", "label-studio") else 0):
                problems.append(f"{seen} of {len(wanted)} images")
            done += 1
            if problems:
                bad += 1
                print(f"{source} -> {tool}: " + "; ".join(problems))
    print(f"{done} conversions of {len(sources)} exports by {', '.join(tools)}: {bad} differ or failed")
    if not options.folder:
        shutil.rmtree(root)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
