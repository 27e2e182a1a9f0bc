"""Files that are whole or not there, checked before they are read, and mapped instead of read. There is no pickle."""

from recocore.storage.array_folder import ArrayFolder, load_arrays, save_arrays, seal_folder
from recocore.storage.folder import published
from recocore.storage.growing_array import GrowingArray

__all__ = ["ArrayFolder", "GrowingArray", "load_arrays", "published", "save_arrays", "seal_folder"]
