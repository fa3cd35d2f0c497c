"""Scores label files with cityscapesScripts, which finds them by its own environment variables.

peer.py instances|plain; `plain` leaves out the scores by instance.
"""

import sys

import numpy as np

if not hasattr(np, "in1d"):  # NumPy 2.4 dropped the name that cityscapesScripts 2.3 uses
    np.in1d = lambda a, b, invert=False: np.isin(np.ravel(a), b, invert=invert)
import cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling as official  # noqa: E402

print("C extension," if official.CSUPPORT else "no C extension,", "NumPy", np.__version__)
official.args.JSONOutput = False
official.args.evalInstLevelScore = sys.argv[1] != "plain"
sys.argv = sys.argv[:1]
official.main()
