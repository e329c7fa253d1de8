"""Other programs that denoise the check set's images; what they made is kept, as some take seconds an image.

``gaussian`` is the Gaussian blur that is nearest to the truth, ``nlm`` scikit-image's non-local means and ``bm3d``
PyPI's BM3D, both told the true standard deviation, ``topaz`` topaz-denoise's U-Net, ``r_em`` the network of Lobato 2024
that is meant for the image's microscope and detail, at the scale that it wants.

    pip install bm3d                                                          # its licence forbids commercial use
    pip install --no-deps --target FOLDER topaz-em "setuptools<81"            # then --topaz FOLDER
    python3.10 -m venv FOLDER                                                 # then --r-em FOLDER/bin/python
    FOLDER/bin/pip install tk_r_em==1.0.4 "tensorflow-cpu==2.15.*" "numpy<2"
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from checkset_views import Scene
from scipy import ndimage

NAMES = ("gaussian", "nlm", "bm3d", "topaz", "r_em")

R_EM = """
import sys
import numpy as np
from tk_r_em import load_network
networks = {}
for line in sys.stdin:
    name, path = line.rstrip("\\n").split(" ", 1)
    networks[name] = networks.get(name) or load_network(name)
    image = np.load(path)
    scale = 100 / image.std()
    result = networks[name].predict(image[None, :, :, None] * scale, batch_size=1, verbose=0)
    np.save(path, result[0, :, :, 0] / scale)
    print("done", flush=True)
"""


@dataclass
class Peers:
    """Runs peers, and keeps their results in a folder.

    Attributes
    ----------
    folder : where results are kept.
    topaz : folder where topaz-em is installed, or None if it is importable.
    python : that of an environment with ``tk_r_em`` and TensorFlow 2.15, which need Python 3.10.
    """

    folder: Path
    topaz: Path | None = None
    python: str | None = None

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._network: Callable[[np.ndarray], np.ndarray] | None = None

    def restore(self, peer: str, scene: Scene, noise: str, truth: np.ndarray, noisy: np.ndarray) -> np.ndarray:
        """Return what a peer makes of a noisy image, from the folder where it is known."""
        digest = hashlib.sha256(noisy.tobytes() + scene.name.encode()).hexdigest()[:24]
        path = self.folder / peer / f"{scene.name}-{noise}-{digest}.npy"
        if path.exists():
            return np.load(path).astype(np.float32)
        if peer == "r_em":
            result = self._r_em(scene, noise, noisy)
        elif peer == "topaz":
            result = self._topaz(noisy)
        else:
            result = FILTERS[peer](truth, noisy)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.save(file, result.astype(np.float16))
        part.rename(path)
        return result.astype(np.float16).astype(np.float32)

    def _topaz(self, noisy: np.ndarray) -> np.ndarray:
        if self._network is None:
            if self.topaz:
                sys.path.append(str(self.topaz))
            from topaz.denoise import Denoise

            self._network = Denoise("unet")._denoise
        return self._network(noisy.astype(np.float32))

    def _r_em(self, scene: Scene, noise: str, noisy: np.ndarray) -> np.ndarray:
        return self.r_em(scene.detail + {"camera": "tem", "scan": "stem"}.get(noise, scene.microscope), noisy)

    def r_em(self, model: str, noisy: np.ndarray) -> np.ndarray:
        """Return what one of the networks of Lobato 2024, ``hrstem`` say, makes of a noisy image."""
        if self._process is None:
            environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1"}
            self._process = subprocess.Popen(
                [str(self.python), "-c", R_EM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with TemporaryDirectory() as folder:
            path = Path(folder, "image.npy")
            np.save(path, noisy.astype(np.float32))
            self._process.stdin.write(f"sfr_{model} {path}\n")
            self._process.stdin.flush()
            while self._process.stdout.readline().strip() != "done":
                if self._process.poll() is not None:
                    raise SystemExit("r_em stopped; see above")
            return np.load(path)


def gaussian(truth: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    blurred = [ndimage.gaussian_filter(noisy, sigma) for sigma in (0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6)]
    return max(blurred, key=lambda image: np.corrcoef(image.ravel(), truth.ravel())[0, 1])


def nlm(truth: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    sigma = float((noisy - truth).std())
    return denoise_nl_means(
        noisy, patch_size=7, patch_distance=11, h=0.8 * sigma, sigma=sigma, fast_mode=True, preserve_range=True
    )  # fmt: skip


def bm3d(truth: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    from bm3d import bm3d as collaborative

    return collaborative(noisy.astype(np.float64), float((noisy - truth).std()))


FILTERS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"gaussian": gaussian, "nlm": nlm, "bm3d": bm3d}
