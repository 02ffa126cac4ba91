"""Opens the CUDA of this environment when TensorFlow is imported.

new.sh puts it into site-packages as tensorflow_cuda.py, and a .pth file there imports it
whenever the environment's Python starts. A library that is open already is the one that
TensorFlow gets when it asks for its name: so it needs no LD_LIBRARY_PATH, and comes before
that of an image. Without CUDA in the environment, nothing happens. Python 3.5 runs it too.
"""

import sys

NAMES = (
    "cudart nvJitLink nvrtc nvrtc-builtins cupti cublasLt cublas cufft curand cusparse cusolver "
    "nccl cudnn_graph cudnn_ops cudnn_ops_infer cudnn_ops_train cudnn_cnn_infer cudnn_cnn_train "
    "cudnn_adv_infer cudnn_adv_train cudnn_cnn cudnn_adv cudnn_engines_precompiled "
    "cudnn_engines_runtime_compiled cudnn_heuristic cudnn"
).split()
"""A library stands after those that it needs."""


def libraries():
    """Return the paths of the environment's CUDA libraries, in the order of `NAMES`."""
    import re
    from pathlib import Path

    site = Path(__file__).resolve().parent
    found = {}
    # of wheels, and of conda
    for path in [*sorted(site.glob("nvidia/*/lib/lib*.so.*")), *site.parents[1].glob("lib*.so.*")]:
        match = re.match(r"lib([A-Za-z_-]+)\.so\.[0-9]+(\.[0-9]+)?$", path.name)
        if match and match.group(1) in NAMES:
            found.setdefault(path.name, (NAMES.index(match.group(1)), str(path)))
    return [path for _, path in sorted(found.values())]


def open_libraries():
    """Open them; return those that cannot be opened, with the loader's words."""
    import ctypes

    waiting = libraries()
    while True:
        problems = {}
        for path in waiting:
            try:
                ctypes.CDLL(path)
            except OSError as error:
                problems[path] = str(error)
        if len(problems) in (0, len(waiting)):
            return problems
        waiting = list(problems)


def find_compiler():
    """Set where XLA finds libdevice and ptxas, unless it is set."""
    import os
    import re
    from pathlib import Path

    folder = Path(__file__).resolve().parent / "nvidia/cuda_nvcc"
    option = "--xla_gpu_cuda_data_dir="
    before = os.environ.get("XLA_FLAGS", "")
    # of another environment, whose Python started this one
    flags = re.sub(" ?" + option + "'[^']*/site-packages/nvidia/cuda_nvcc'", "", before)
    if folder.is_dir() and option not in flags:
        flags = (flags + " " + option + "'" + str(folder) + "'").strip()
    if flags != before:
        os.environ["XLA_FLAGS"] = flags


class Finder:
    """Runs before the import of TensorFlow; finds no module itself."""

    def find_spec(self, name, *_):
        if name == "tensorflow":
            sys.meta_path.remove(self)
            find_compiler()
            open_libraries()


sys.meta_path.insert(0, Finder())
