"""The same network behind FastAPI and ONNX Runtime, as one would write it; needs fastapi, uvicorn, onnxruntime."""

import io
import json
import os
import socket
import sys

from PIL import Image


def photographs(scenes, folder):
    """JPEG files of the scenes below a folder."""
    os.makedirs(folder + ".part", exist_ok=True)
    for place, _, names in sorted(os.walk(os.path.join(scenes, "leftImg8bit"))):
        for name in sorted(names):
            picture = Image.open(os.path.join(place, name)).convert("RGB")
            picture.save(os.path.join(folder + ".part", name[:-4] + ".jpg"), quality=90)
    os.rename(folder + ".part", folder)


def serve(model, threads):
    """Answers until it is ended."""
    import numpy
    import onnxruntime
    import uvicorn
    from fastapi import FastAPI, Request, Response
    from fastapi.concurrency import run_in_threadpool

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    colors = json.loads(session.get_modelmeta().custom_metadata_map.get("colors", "[]"))
    palette = [level for color in colors for level in color]
    height, width = session.get_inputs()[0].shape[1:3]
    app = FastAPI()

    def segmented(body):
        photograph = Image.open(io.BytesIO(body)).convert("RGB")
        # As the network was trained to see it; labels come back at the photograph's size.
        seen = photograph.resize((width, height), Image.Resampling.BILINEAR)
        labels = session.run(None, {"image": numpy.asarray(seen)[None]})[0][0].astype(numpy.uint8)
        picture = Image.fromarray(labels, "P").resize(photograph.size, Image.Resampling.NEAREST)
        picture.putpalette(palette or list(range(256)) * 3)
        file = io.BytesIO()
        picture.save(file, "PNG")
        return file.getvalue()

    async def predict(request: Request):
        body = await request.body()
        return Response(await run_in_threadpool(segmented, body), media_type="image/png")

    app.add_api_route("/v1/predict", predict, methods=["POST"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    print(f"http://127.0.0.1:{port}/", flush=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    if sys.argv[1] == "photographs":
        photographs(*sys.argv[2:4])
    else:
        serve(sys.argv[1], int(sys.argv[2]))
