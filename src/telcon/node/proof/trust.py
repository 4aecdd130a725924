"""Under whose keys a proof is checked: a policy or key cards given by the reader, or none.

When keys are given, only these count and whatever keys lie in a folder are ignored.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from telcon.errors import PolicyError, SettingsError
from telcon.ledger import KeyCard, Policy, VerifierKey, mirror_policy, with_witnesses


@dataclass(frozen=True, slots=True)
class Keys:
    """Policies by the origin of the log that each is for."""

    policies: Mapping[str, Policy]
    are_given: bool
    """False when they come from the folder that is checked."""

    def policy_for(self, origin: str) -> Policy:
        """Return the policy for the log `origin`.

        Raises:
            PolicyError: there is none.
        """
        if origin not in self.policies:
            whose = "you gave" if self.are_given else "in this folder"
            raise PolicyError(f"the keys {whose} are not for the log {origin}")
        return self.policies[origin]


def keys_from_policies(policies: Sequence[Policy], *, are_given: bool) -> Keys:
    """Return the keys of policies, one for each log.

    Raises:
        PolicyError: two are for one log, or one asks for no cosigner at all.
    """
    by_origin = {policy.log.name: policy for policy in policies}
    if len(by_origin) != len(policies):
        raise PolicyError("two policies are for the same log")
    for policy in policies:
        if policy.quorum is None:
            raise PolicyError(
                f"the policy for {policy.log.name} asks for no cosigner: only the author vouches"
            )
    return Keys(by_origin, are_given)


def keys_from_cards(cards: Sequence[KeyCard], witnesses: Sequence[VerifierKey] = ()) -> Keys:
    """Return the keys of both logs of each line: each log of one card with the mirror of the other.

    What `witnesses` signed counts too, and is not asked for: a policy can ask.

    Raises:
        SettingsError: a line has not exactly two cards, of two nodes.
        PolicyError: the keys of two cards cannot stand in one policy, or a witness is of one of the
            two nodes.
    """
    lines: dict[str, list[KeyCard]] = defaultdict(list)
    for card in cards:
        lines[card.line].append(card)
    policies = []
    for line, pair in lines.items():
        if len(pair) != 2 or pair[0].name == pair[1].name:
            names = ", ".join(card.name for card in pair)
            raise SettingsError(
                f"line {line} needs the key cards of two nodes, these are of {names}",
                advice="Give one card of each side, both of the same line.",
            )
        first, second = pair
        policies.append(mirror_policy(first.log, second.mirror))
        policies.append(mirror_policy(second.log, first.mirror))
    further = [(key, "") for key in witnesses]
    policies = [with_witnesses(policy, further, 0) for policy in policies]
    return keys_from_policies(policies, are_given=True)
