#!/usr/bin/env bash
# label-studio-sdk's COCO export gives images without a region no size: their width and height are null.
#
# The size comes from a region's own `original_width`, and an image that a person looked at and left empty has none, though
# such images belong into a training set. pycocotools then fails on the image where a size is needed. Atrous takes the size
# from the image file where COCO's JSON says none.
#
# Output with label-studio-sdk 2.1.2, Python 3.11:
#   97 61
#   None None
# Exits with 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q label-studio-sdk==2.1.2
cat > "$folder/export.py" <<'PYTHON'
import json
import sys

from label_studio_sdk.converter import Converter

folder = sys.argv[1]
interface = """<View><Image name="image" value="$image"/>
<PolygonLabels name="label" toName="image"><Label value="road"/></PolygonLabels></View>"""
road = {
    "id": "a", "type": "polygonlabels", "from_name": "label", "to_name": "image", "original_width": 97,
    "original_height": 61, "value": {"points": [[10, 10], [50, 10], [50, 50]], "polygonlabels": ["road"]},
}
tasks = [
    {"id": number, "data": {"image": f"/data/{number}.png"},
     "annotations": [{"id": number, "completed_by": 1, "result": results}]}
    for number, results in [(1, [road]), (2, [])]
]
with open(f"{folder}/tasks.json", "w") as file:
    json.dump(tasks, file)
Converter(interface, project_dir=folder, download_resources=False).convert_to_coco(
    f"{folder}/tasks.json", f"{folder}/out", output_image_dir=f"{folder}/out/images", is_dir=False)
with open(f"{folder}/out/result.json") as file:
    for image in json.load(file)["images"]:
        print(image["width"], image["height"])
PYTHON
found=$("$folder/venv/bin/python" "$folder/export.py" "$folder" 2>/dev/null | tail -n 2)
echo "$found"
[ "$found" = $'97 61\nNone None' ]
