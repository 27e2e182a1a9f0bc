"""LiveRules: a file of rules that is read again while they are used; a broken file leaves the old rules in place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recocore.errors import NotFoundError
from recocore.fraud.rules.ruleset import RuleSet

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from recocore.expressions import Compiled, Kind


class LiveRules:
    """The rules of a TOML file, replaced whole.

    `current` is one immutable `RuleSet`: whoever took it keeps it for what they are doing, and a reload is one
    assignment. Several threads may read it while one reloads.

    Args:
        path: the file, as `RuleSet.from_toml` reads it.
        columns: what expressions may name, with kinds.
        functions: by name, from `recocore.expressions.compiled`.

    Raises:
        NotFoundError: there is no such file.
        InvalidArgumentError: it is broken; there are no old rules yet.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        columns: Mapping[str, Kind],
        functions: Mapping[str, Compiled] | None = None,
    ) -> None:
        self._path = Path(path)
        self._columns = dict(columns)
        self._functions = dict(functions or {})
        self._content = b""
        self.current = RuleSet(())
        self.reload()

    def reload(self) -> bool:
        """Read the file again; whether it says something else than before.

        Raises:
            NotFoundError: there is no such file any longer; the old rules stay.
            InvalidArgumentError: it is broken; the message says where, and the old rules stay, whole.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            raise NotFoundError(f"{self._path}: there is no file of rules here") from None
        if content == self._content:
            return False
        made = RuleSet.from_toml(content.decode(errors="replace"), self._columns, self._functions)
        changed = made.version != self.current.version
        self._content, self.current = content, made
        return changed
