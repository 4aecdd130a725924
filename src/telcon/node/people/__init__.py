"""The people of a node. In version 1 that is one principal, signed in by a one-time link.

`sign_in` makes and takes the links and keeps the sessions. Who the principal is stands in the
settings.
"""

from telcon.node.people.sign_in import PRINCIPAL, SESSION_LIFETIME_US, Session, SignIn

__all__ = ["PRINCIPAL", "SESSION_LIFETIME_US", "Session", "SignIn"]
