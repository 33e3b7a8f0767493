"""Shows what a YOLO detector looked at: a heatmap for every box that it draws.

    import yolocam

    for detection in yolocam.explain("best.pt", "dog.jpg"):
        print(detection.class_name, detection.confidence, detection.box, detection.map)

Each call runs the program ``yolo-cam``, which comes with this package; ``explain_all`` runs it once for many pictures.
"""

from typing import TYPE_CHECKING, Any

from ._build import VERSION as __version__

if TYPE_CHECKING:
    from ._explain import Detection, Image, MapGrid, YoloCamError, explain, explain_all

__all__ = ["Detection", "Image", "MapGrid", "YoloCamError", "__version__", "explain", "explain_all"]


def __getattr__(name: str) -> Any:
    """Loads the module when it is used: the command ``yolo-cam`` starts without NumPy."""
    if name in __all__:
        from . import _explain

        return getattr(_explain, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
