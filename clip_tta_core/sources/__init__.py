"""Where pictures come from: rendered objects, uploads, data sets."""
