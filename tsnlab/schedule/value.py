"""What every value of a schedule can: be compared with another, key by key."""

from __future__ import annotations

from typing import Any, Self

from tsnlab import files


class Comparable(files.Value):
    """A value that tells its difference from another."""

    def facts(self) -> dict[str, Any]:
        """What counts when it is compared, by name."""
        return self.model_dump()

    def differences(self, other: Self) -> list[str]:
        """What is not the same in another, which the kernel has: one sentence each; spelling does not count."""
        mine, theirs = self.facts(), other.facts()
        return [f"{key}: wanted {mine[key]}, kernel says {theirs[key]}" for key in mine if mine[key] != theirs[key]]
