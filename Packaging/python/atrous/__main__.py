"""The command `atrous`: hands over to the program inside the package."""

import os
import sys

from ._library import HERE, Error, installed, torch_folder


def main() -> None:
    try:
        installed()
        folder = torch_folder()
    except Error as error:
        sys.exit(f"error: {error}")
    libraries = os.path.join(folder, "lib")
    # Beside this package torch is found by the program's own path; elsewhere it has to be said.
    if os.path.dirname(folder) != os.path.dirname(HERE):
        known = os.environ.get("LD_LIBRARY_PATH")
        os.environ["LD_LIBRARY_PATH"] = libraries + (os.pathsep + known if known else "")
    program = os.path.join(HERE, "bin", "atrous")
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    main()
