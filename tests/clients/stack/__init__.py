"""The real binary, started for tests: a gateway with the provider simulator behind it.

Only the standard library is used, so that the Node suite can start it where no package is installed:
``python3 -m stack -- node --test``.
"""

from .admin import AdminApi, Reply
from .processes import Addresses, Gateway, Simulator, wait_until
from .routes import ADMIN_KEY, CLIENT_KEY, DIALECT_PROVIDERS, OTHER_KEY, PROVIDER_KEY, VIEWER_KEY, Stack, start

__all__ = [
    "ADMIN_KEY",
    "CLIENT_KEY",
    "DIALECT_PROVIDERS",
    "OTHER_KEY",
    "PROVIDER_KEY",
    "VIEWER_KEY",
    "Addresses",
    "AdminApi",
    "Gateway",
    "Reply",
    "Simulator",
    "Stack",
    "start",
    "wait_until",
]
