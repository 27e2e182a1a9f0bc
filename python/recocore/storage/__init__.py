"""Files that are whole or not there, checked before they are read, and mapped instead of read. There is no pickle."""

from recocore.storage.array_folder import ArrayFolder, load_arrays, save_arrays

__all__ = ["ArrayFolder", "load_arrays", "save_arrays"]
