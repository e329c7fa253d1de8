"""The widget: a layer, a model, a preview of what is seen, and all frames. The network runs in a thread."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from napari.layers import Image
from napari.qt.threading import create_worker
from napari.utils.notifications import show_error, show_warning
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from temclean import __version__
from temclean.errors import TemcleanError
from temclean.napari import work
from temclean.napari.reader import NOTE
from temclean.restoration import models
from temclean.restoration.shipped import AUTO


class Denoiser(QWidget):  # type: ignore[misc]
    """The widget, of which napari makes one for a viewer.

    Attributes
    ----------
    layers, models : choices of the image and of the model.
    preview, run, stop : buttons.
    told : which model was taken, and why.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer, self._worker = napari_viewer, None
        self._settled: tuple[Any, Any, str, work.Settled] | None = None
        self.layers, self.models = QComboBox(), QComboBox()
        self.preview, self.run, self.stop = map(QPushButton, ("Preview", "Denoise all frames", "Stop"))
        self.told, self.bar = QLabel(), QProgressBar()
        self.told.setWordWrap(True)
        self.models.addItem(AUTO)
        for name in models.available():
            self.models.addItem(name)
            self.models.setItemData(self.models.count() - 1, models.load(name).summary, 3)  # Qt.ToolTipRole
        self.preview.setToolTip("Denoise the part of this frame that is seen, as it will be")
        buttons = QHBoxLayout()
        for button, act in ((self.preview, self.show_preview), (self.run, self.run_all), (self.stop, self.give_up)):
            button.clicked.connect(act)
            buttons.addWidget(button)
        form = QFormLayout(self)
        form.addRow("Image", self.layers)
        form.addRow("Model", self.models)
        form.addRow(buttons)
        form.addRow(self.bar)
        form.addRow(self.told)
        layers = napari_viewer.layers
        for event in (layers.events.inserted, layers.events.removed):
            event.connect(self._list)
        layers.selection.events.active.connect(self._follow)
        self._list()
        self._follow()
        self._busy(False)

    def show_preview(self) -> None:
        """Denoise what is seen of the current frame into a layer of its own."""
        layer = self._layer()
        if layer is None:
            return
        shown = self._viewer.dims
        if shown.ndisplay != 2 or list(shown.displayed) != [shown.ndim - 2, shown.ndim - 1]:
            show_error("a preview needs rows and columns in view: switch to 2D, and to the last two axes")
            return
        corners = np.clip(layer.corner_pixels, 0, np.array(layer.data.shape) - 1)
        rows, columns = (slice(int(low), int(high) + 1) for low, high in corners[:, -2:].T)
        lead = tuple(int(n) for n in np.round(layer.world_to_data(shown.point))[:-2])
        index = int(np.ravel_multi_index(lead, layer.data.shape[:-2], mode="clip")) if lead else 0
        model = self.models.currentText()

        def denoised() -> Iterator[Any]:
            settled = self._settle(layer, model)
            yield settled
            yield work.preview(settled, index, (rows, columns))

        def show(made: list[Any]) -> None:
            name = f"{layer.name} preview"
            start = np.array([*lead, rows.start, columns.start], float)
            place = {**_kept(layer), "translate": layer.translate + start * layer.scale}
            with suppress(KeyError, ValueError):
                self._viewer.layers.remove(name)
            self._viewer.add_image(made[-1].reshape((1,) * len(lead) + made[-1].shape), name=name, **place)
            self._viewer.layers.selection.active = layer

        self._start(denoised, show, 0)

    def run_all(self) -> None:
        """Denoise all frames into a layer of the same scale, units and contrast limits."""
        layer = self._layer()
        if layer is None:
            return
        model, shape = self.models.currentText(), layer.data.shape

        def denoised() -> Iterator[Any]:
            settled = self._settle(layer, model)
            yield settled
            yield from work.every(settled)

        def show(made: list[Any]) -> None:
            frames = [each for each in made if isinstance(each, np.ndarray)]
            for line in made:
                if isinstance(line, str):
                    show_warning(f"{layer.name}: {line}")
            known = {NOTE: layer.metadata[NOTE]} if NOTE in layer.metadata else {}
            if self._settled:
                taken = self._settled[3].session.model
                known["made by"] = {"temclean": __version__, "model": taken.name, "model_sha256": taken.sha256}
            clean = np.stack(frames).reshape(shape)
            self._viewer.add_image(clean, name=f"{layer.name} denoised", metadata=known, **_kept(layer))
            self._viewer.layers.selection.active = layer  # or the next click would denoise the result

        self._start(denoised, show, int(np.prod(shape[:-2])))

    def give_up(self) -> None:
        """End what is running after the frame that it is at."""
        if self._worker is not None:
            self._worker.quit()

    def _start(self, function: Callable[[], Iterator[Any]], show: Callable[[list[Any]], None], frames: int) -> None:
        """Run a generator in a thread, and show what it gave when it has ended by itself."""
        made: list[Any] = []

        def came(found: Any) -> None:
            if isinstance(found, work.Settled):
                taken = f"{found.session.model.name} on {found.session.device}"
                self.told.setText(f"{taken}: {found.reason}" if found.reason else taken)
            else:
                made.append(found)
                self.bar.setValue(min(len(made), max(1, frames)))

        def returned(_: Any = None) -> None:
            if self._worker is not None and not self._worker.abort_requested:
                show(made)

        self.bar.setRange(0, frames)  # 0 to 0: nobody knows how long it takes
        self.bar.setValue(0)
        self._busy(True)
        self._worker = create_worker(
            function,
            _start_thread=True,
            _connect={
                "yielded": came,
                "returned": returned,
                "errored": self._failed,
                "finished": lambda: self._busy(False),
            },
        )

    def _settle(self, layer: Any, model: str) -> work.Settled:
        """Return what was settled before, if it was for the same pixels and model."""
        known = self._settled
        if known is None or known[0] is not layer or known[1] is not layer.data or known[2] != model:
            self._settled = known = (layer, layer.data, model, work.settle(layer, model))
        return known[3]

    def _layer(self) -> Any:
        name = self.layers.currentText()
        if name not in self._viewer.layers:
            show_error("there is no image: open one, or choose it")
            return None
        return self._viewer.layers[name]

    def _list(self, event: Any = None) -> None:
        """List the images that there are."""
        with suppress(RuntimeError):  # napari has closed the window
            current = self.layers.currentText()
            self.layers.clear()
            self.layers.addItems([each.name for each in self._viewer.layers if isinstance(each, Image)])
            self.layers.setCurrentIndex(max(0, self.layers.findText(current)))
        for each in self._viewer.layers:
            each.events.name.disconnect(self._list)
            each.events.name.connect(self._list)

    def _follow(self, event: Any = None) -> None:
        """Take the image that is selected in the list of layers."""
        active = self._viewer.layers.selection.active
        with suppress(RuntimeError):
            place = self.layers.findText(active.name) if isinstance(active, Image) else -1
            if place >= 0:
                self.layers.setCurrentIndex(place)

    def _failed(self, error: BaseException) -> None:
        show_error(str(error) if isinstance(error, TemcleanError) else f"unexpected {type(error).__name__}: {error}")

    def _busy(self, busy: bool) -> None:
        for button in (self.preview, self.run):
            button.setEnabled(not busy)
        self.stop.setEnabled(busy)
        self.bar.setVisible(busy)
        if not busy:
            self._worker = None

    def closeEvent(self, event: Any) -> None:  # noqa: N802
        """End what is running when the window is closed; Qt calls it."""
        self.give_up()
        super().closeEvent(event)


def _kept(layer: Any) -> dict[str, Any]:
    """Return what a result takes over from its layer."""
    names = ("scale", "translate", "units", "axis_labels", "contrast_limits", "colormap")
    return {name: getattr(layer, name) for name in names}
