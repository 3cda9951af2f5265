"""The way in for users."""

from qctrl.access.service import ProviderService

__all__ = ["ProviderService"]
