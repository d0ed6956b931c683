"""The library's own exceptions. Each carries one line: what came, what was expected, what to do."""


class CaptionerError(Exception):
    """Anything this library refuses; catch it to catch all of them."""


class ImageError(CaptionerError):
    """A picture that cannot be read."""


class ModelError(CaptionerError):
    """A model folder that is missing, damaged or not ours."""


class DatasetError(CaptionerError):
    """Pictures and captions that cannot be used for training or evaluation."""


class ConfigError(CaptionerError):
    """A setting that is unknown or out of range."""
