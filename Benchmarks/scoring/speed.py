"""Times `atrous score` against cityscapesScripts on the same files, one after the other.

usage: speed.py ATROUS SCENES PREDICTIONS [COUNT]

The images of SCENES (of the size to be timed) are linked under new names until there are COUNT, 500
if nothing is said. Prints seconds and the largest resident memory of both.
"""
import glob, os, re, subprocess, sys, tempfile

atrous, scenes, predictions = sys.argv[1:4]
count = int(sys.argv[4]) if len(sys.argv) > 4 else 500
official = """
import sys
import numpy as np
if not hasattr(np, "in1d"):  # NumPy 2.4 dropped the name that cityscapesScripts 2.3 uses
    np.in1d = lambda a, b, invert=False: np.isin(np.ravel(a), b, invert=invert)
import cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling as official
print("C extension," if official.CSUPPORT else "no C extension,", "NumPy", np.__version__)
official.args.JSONOutput = False
official.args.evalInstLevelScore = "plain" not in sys.argv
sys.argv = sys.argv[:1]
official.main()
"""


def timed(command, environment={}):
    out = subprocess.run(["/usr/bin/time", "-v"] + command, capture_output=True, text=True,
                         env={**os.environ, **environment})
    text = out.stderr
    if out.returncode:
        sys.exit(out.stdout[-2000:] + text[-2000:])
    clock = re.search(r"Elapsed.*?: (?:(\d+):)?(\d+):([\d.]+)\n", text).groups()
    seconds = int(clock[0] or 0) * 3600 + int(clock[1]) * 60 + float(clock[2])
    user = sum(float(x) for x in re.findall(r"(?:User|System) time \(seconds\): ([\d.]+)", text))
    memory = int(re.search(r"Maximum resident set size \(kbytes\): (\d+)", text).group(1)) / 1024
    return seconds, user, memory, out.stdout


with tempfile.TemporaryDirectory() as folder:
    truth, results = f"{folder}/gtFine/val/bench", f"{folder}/results"
    os.makedirs(truth); os.makedirs(results)
    files = sorted(glob.glob(f"{scenes}/gtFine/val/*/*_gtFine_labelIds.png"))
    for i in range(count):
        file = files[i % len(files)]
        name = os.path.basename(file)[: -len("_gtFine_labelIds.png")]
        new = f"bench_{i:06d}_000000"
        for kind in ("labelIds", "instanceIds"):
            os.symlink(os.path.abspath(file.replace("labelIds", kind)), f"{truth}/{new}_gtFine_{kind}.png")
        os.symlink(os.path.abspath(f"{predictions}/labels/{name}_pred_labelIds.png"), f"{results}/{new}_pred.png")
    roots = {"CITYSCAPES_DATASET": folder, "CITYSCAPES_RESULTS": results, "CITYSCAPES_EXPORT_DIR": folder}
    for what, option, word in (("classes, categories and instances", [], []),
                               ("classes and categories", ["--no-instances"], ["plain"])):
        print(f"{count} images: {what}")
        ours = timed([atrous, "score", folder, results] + option)
        print("  atrous score      %7.2f s, %7.2f s of processor, %6.1f MB" % ours[:3], flush=True)
        theirs = timed([sys.executable, "-c", official] + word, roots)
        print("  cityscapesScripts %7.2f s, %7.2f s of processor, %6.1f MB (%s)"
              % (*theirs[:3], theirs[3].split("\n")[0]))
        print("  ratio %.1f, of processor time %.1f" % (theirs[0] / ours[0], theirs[1] / ours[1]), flush=True)
