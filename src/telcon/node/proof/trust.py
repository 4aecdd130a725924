"""Under whose keys a proof is checked: a policy or key cards given by the reader, or none.

When keys are given, only these count and whatever keys lie in a folder are ignored.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from telcon.errors import PolicyError, SettingsError
from telcon.ledger import ED25519, KeyCard, Policy, VerifierKey, mirror_policy, with_witnesses


@dataclass(frozen=True, slots=True)
class Keys:
    """Policies by the origin of the log that each is for."""

    policies: Mapping[str, Policy]
    are_given: bool
    """False when they come from the folder that is checked."""
    alone: Mapping[str, KeyCard] = field(default_factory=dict)
    """Cards given without that of the other side: enough for what one side signed."""

    def policy_for(self, origin: str) -> Policy:
        """Return the policy for the log `origin`.

        Raises:
            PolicyError: there is none.
            SettingsError: of that line one card alone was given.
        """
        if origin not in self.policies:
            self._refuse_alone(origin)
            raise self._not_for(origin)
        return self.policies[origin]

    def log_for(self, origin: str) -> VerifierKey:
        """Return the key of the log `origin` itself, for what nobody needs to have cosigned.

        Of several the one for Ed25519, with which every checkpoint is signed.

        Raises:
            PolicyError: there is none.
        """
        if origin in self.alone:
            return self.alone[origin].log
        if origin not in self.policies:
            raise self._not_for(origin)
        policy = self.policies[origin]
        return next((key for key in policy.logs if key.type == ED25519), policy.log)

    def _not_for(self, origin: str) -> PolicyError:
        whose = "you gave" if self.are_given else "in this folder"
        return PolicyError(f"the keys {whose} are not for the log {origin}")

    def _refuse_alone(self, origin: str) -> None:
        line = origin.rpartition("/")[2]
        for card in self.alone.values():
            if card.line == line:
                raise _not_two(line, [card])


def ml_dsa_policy(author: KeyCard, holder: KeyCard) -> Policy | None:
    """Return what asks for ML-DSA-44 signatures alone; None where a card names no such keys.

    Raises:
        PolicyError: the keys cannot stand in one policy.
    """
    if author.log_ml_dsa is None or holder.mirror_ml_dsa is None:
        return None
    return mirror_policy(author.log_ml_dsa, holder.mirror_ml_dsa)


def line_policy(author: KeyCard, holder: KeyCard) -> Policy:
    """Return what asks for Ed25519 on the log that `author` writes and `holder` mirrors.

    Their ML-DSA-44 keys are beside it.

    Raises:
        PolicyError: the keys cannot stand in one policy.
    """
    return seconded_by(mirror_policy(author.log, holder.mirror), ml_dsa_policy(author, holder))


def seconded_by(policy: Policy, ml_dsa: Policy | None) -> Policy:
    """Return `policy` with the keys of `ml_dsa` beside it: what they signed is verified and told.

    Nothing is asked of them, as not every checkpoint bears such signatures; and they are not enough
    alone, or the weaker kind of the two would decide.

    Raises:
        PolicyError: the keys cannot stand in one policy.
    """
    if ml_dsa is None:
        return policy
    beside = (*ml_dsa.logs, *(witness.key for witness in ml_dsa.witnesses))
    return replace(policy, beside=beside)


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

    One card of a line is enough for what its own side signed, and no more. What `witnesses` signed
    counts too, and is not asked for: a policy can ask.

    Raises:
        SettingsError: a line has more than two cards, or two of one node.
        PolicyError: the keys of two cards cannot stand in one policy, or a witness is of one of the
            two nodes.
    """
    lines: dict[str, list[KeyCard]] = defaultdict(list)
    for card in cards:
        lines[card.line].append(card)
    policies = []
    alone = {}
    for line, pair in lines.items():
        if len(pair) == 1:
            alone[pair[0].log.name] = pair[0]
            continue
        if len(pair) != 2 or pair[0].name == pair[1].name:
            raise _not_two(line, pair)
        first, second = pair
        policies.append(line_policy(first, second))
        policies.append(line_policy(second, first))
    further = [(key, "") for key in witnesses]
    policies = [with_witnesses(policy, further, 0) for policy in policies]
    return replace(keys_from_policies(policies, are_given=True), alone=alone)


def _not_two(line: str, cards: Sequence[KeyCard]) -> SettingsError:
    names = ", ".join(card.name for card in cards)
    return SettingsError(
        f"line {line} needs the key cards of two nodes, these are of {names}",
        advice="Give one card of each side, both of the same line.",
    )
