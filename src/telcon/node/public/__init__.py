"""What strangers may ask of this node over HTTP, on an address of its own; off as a rule.

`listener` bounds what they can hold and speaks HTTP, `answers` says what there is: checkpoints of
the lines that are published, checkpoints that this node has witnessed, and `add-checkpoint`.
"""

from telcon.node.public.answers import PublicAnswers
from telcon.node.public.listener import Ask, PublicListener

__all__ = ["Ask", "PublicAnswers", "PublicListener"]
