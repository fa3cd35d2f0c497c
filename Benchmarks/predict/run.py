#!/usr/bin/env python3
"""Times what `atrous predict` adds to the network: the confidence of a folder of photographs, and a video.

Photographs are those of --images, or generated street scenes; the video is made of them by ffmpeg in the folder for
files, each photograph shown for some frames and moved a little from frame to frame. Commands take turns, each in a process
of its own. Prints medians and ratios as Markdown, and the exit status is 1 where a ratio misses what the package promises:
a folder with --confidence at most 1.1 times as long as without, and a video end to end at least 0.9 times as many frames a
second as the network alone, given the same frames by a pipe.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ENDINGS = (".jpg", ".jpeg", ".png")


def arguments():
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--atrous", default=os.path.join(HERE, "../../.build/release/atrous"))
    result.add_argument("--folder", default="out/predict", help="for files")
    result.add_argument("--images", help="a folder of photographs; generated scenes without")
    result.add_argument("--count", type=int, default=24, help="of photographs")
    result.add_argument("--frames", type=int, default=300, help="of the video")
    result.add_argument("--size", default="480x360")
    result.add_argument("--checkpoint", help="the packaged network without")
    result.add_argument("--rounds", type=int, default=3)
    result.add_argument("--parts", nargs="*", default=["folder", "video", "smooth"],
                        choices=["folder", "video", "smooth"])
    return result.parse_args()


def run(words):
    """What a command prints, and its seconds."""
    start = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout, time.monotonic() - start


def photographs(options):
    """A folder of photographs of the size, made once."""
    width, height = options.size.split("x")
    result = os.path.join(options.folder, f"photographs-{options.size}-{options.count}")
    if os.path.exists(result):
        return result
    source = options.images
    if not source:
        scenes = os.path.join(options.folder, "scenes")
        shutil.rmtree(scenes, ignore_errors=True)
        run([options.atrous, "scenes", scenes, "--train", "1", "--val", str(options.count), "--size", options.size])
        source = os.path.join(scenes, "leftImg8bit", "val")
    files = sorted(os.path.join(folder, name) for folder, _, names in os.walk(source)
                   for name in names if name.lower().endswith(ENDINGS))[:options.count]
    part = result + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    for index, file in enumerate(files):
        run(["ffmpeg", "-v", "error", "-y", "-i", file, "-vf", f"scale={width}:{height}", "-q:v", "2",
             os.path.join(part, f"{index:04}.jpg")])
    os.rename(part, result)
    return result


def clip(options, folder):
    """A video of the photographs: each stays for some frames, over which the view moves."""
    width, height = options.size.split("x")
    result = os.path.join(options.folder, f"clip-{options.size}-{options.frames}.mp4")
    if not os.path.exists(result):
        count = len(os.listdir(folder))
        each = -(-options.frames // count)
        run(["ffmpeg", "-v", "error", "-y", "-framerate", "1", "-i", os.path.join(folder, "%04d.jpg"), "-vf",
             f"zoompan=z='min(1.1,1+0.004*on/{each}*{each})':d={each}:x='2*mod(on,{each})':y=0:s={width}x{height}:fps=25",
             "-frames:v", str(options.frames), "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", result])
    return result


def predict(options, *words):
    return [options.atrous, "predict", *([options.checkpoint] if options.checkpoint else []), *words]


def medians(options, commands):
    """The median seconds of each of the commands, in turns."""
    seconds = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, words in commands.items():
            seconds[name].append(run(words)[1])
    return {name: statistics.median(values) for name, values in seconds.items()}


def folder_part(options, images):
    out = os.path.join(options.folder, "out")
    found = medians(options, {
        "without": predict(options, images, "--output", out),
        "--confidence": predict(options, images, "--output", out, "--confidence"),
        "--confidence-bits 16": predict(options, images, "--output", out, "--confidence-bits", "16"),
        "--probabilities-as npy": predict(options, images, "--output", out, "--probabilities-as", "npy"),
    })
    print(f"| folder of {len(os.listdir(images))}, {options.size} | seconds | times without |\n|---|---|---|")
    for name, value in found.items():
        print(f"| {name} | {value:.2f} | {value / found['without']:.3f} |")
    print()
    return found["--confidence"] <= 1.1 * found["without"]


def network_alone(options, video):
    """Images a second of the network by itself: the frames, decoded beforehand, from a pipe."""
    raw = os.path.join(options.folder, "frames.rgb")
    run(["ffmpeg", "-v", "error", "-y", "-i", video, "-f", "rawvideo", "-pix_fmt", "rgb24", raw])
    with open(raw, "rb") as frames:
        done = subprocess.run(predict(options, "-", "--raw", options.size), stdin=frames, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
    os.remove(raw)
    return network_rate(done.stderr)


def network_rate(text):
    """Frames a second of the network's own time, as a report tells it."""
    frames = int(re.search(r"(\d+) frames in", text).group(1))
    return frames / float(re.search(r"network took ([\d.]+) s", text).group(1))


def video_part(options, images, smooth):
    video = clip(options, images)
    out = os.path.join(options.folder, "out.mp4")
    rates, network, alone = [], [], []
    words = predict(options, video, "--output", out, *(["--smooth", "0.5"] if smooth else []))
    flicker = ""
    for _ in range(options.rounds):
        alone.append(network_alone(options, video))
        text, _ = run(words)
        rates.append(float(re.search(r"([\d.]+) frames/s", text).group(1)))
        network.append(network_rate(text))
        flicker = (text.splitlines() + [""])[1]
    return statistics.median(rates), statistics.median(network), statistics.median(alone), flicker


def main():
    options = arguments()
    os.makedirs(options.folder, exist_ok=True)
    images = photographs(options)
    good = True
    if "folder" in options.parts:
        good &= folder_part(options, images)
    shown = [part for part in options.parts if part != "folder"]
    if shown:
        print(f"| video of {options.frames} frames, {options.size} | frames/s | network within it | network alone |"
              " of the network alone |\n|---|---|---|---|---|")
    for part in shown:
        rate, network, alone, flicker = video_part(options, images, part == "smooth")
        name = "--smooth 0.5" if part == "smooth" else "plain"
        print(f"| {name} | {rate:.1f} | {network:.1f} | {alone:.1f} | {rate / alone:.3f} |  {flicker}")
        if part == "video":
            good &= rate >= 0.9 * alone
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
