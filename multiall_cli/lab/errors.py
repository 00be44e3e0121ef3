"""Errors of labs."""

from multiall_cli.domain.errors import MultiAllError


class LabError(MultiAllError):
    """A lab that cannot start, or whose supervisor is gone."""
