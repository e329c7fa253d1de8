"""Everything that temclean raises on purpose: one line that names the bad value and the remedy."""


class TemcleanError(Exception):
    """Parent of every error that temclean raises on purpose."""


class TemcleanWarning(UserWarning):
    """What the command line says as a warning, said in Python."""


class ParameterError(TemcleanError, ValueError):
    """A parameter is out of range, or two parameters do not fit each other."""


class ImageError(TemcleanError, ValueError):
    """A file or an array cannot be used as an image."""


class FileError(TemcleanError, OSError):
    """A file cannot be read or written."""


class ModelError(TemcleanError, ValueError):
    """A model is unknown, damaged or not one of temclean's."""


class DeviceError(TemcleanError, RuntimeError):
    """The asked-for device is not there or does not work."""


class MissingExtraError(TemcleanError, ImportError):
    """A task needs an optional dependency that is not installed."""
