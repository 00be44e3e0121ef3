"""The Python API, one class per noun of the command line. Each method is one call of the work beside it."""
