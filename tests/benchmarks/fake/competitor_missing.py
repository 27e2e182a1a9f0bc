import importlib

importlib.import_module("a_library_that_nobody_has")
