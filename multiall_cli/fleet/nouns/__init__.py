"""Python API, one class per noun of the command line. Each method calls one function of the fleet."""
