"""atlas: a batch microscope that turns an image network into a browsable static website.

Importing this package never imports TensorFlow.
"""

__version__ = "0.1.0"
