"""What each refusal of a contract means, and what to do about it: in words, tokens and dates.

One entry for every custom error of the ABIs and of `reverts.STANDARD`. In a sentence `{argument}` is the
error's argument of that name; a format says its unit: `tokens`, `time` (unix seconds), `phase`, `verdict`.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from jepanet.tokens import exact
from jepanet.types import Phase, Verdict


class Sentence(NamedTuple):
    says: str
    remedy: str


_LONGEST = 200
"""Characters of one argument that are shown: a contract may say anything."""
_SHEET = "look at `jepanet round show ROUND` and run `jepanet verify ROUND`"
_REPORT = "this is a defect or a contract of another version: keep the log and report it"
_DEPLOYMENT = "check that the deployment file is this network's; only its deployer can mend it"
_OVER = "nothing: somebody else was first"
_WAIT_PHASE = "see `jepanet round list` for its phase; wait if it is still to come"

SENTENCES: Mapping[str, Sentence] = {
    # ------------------------------------------------------------ stakes
    "InsufficientStake": Sentence(
        "{account} has {available:tokens} tokens of free stake and {needed:tokens} tokens are needed",
        "deposit the difference with `jepanet stake deposit AMOUNT`, or ask for less",
    ),
    "StakeHeld": Sentence(
        "the stake of {account} backs its duty as a verifier until {until:time}", "wait until then"
    ),
    "TooManyUnbondRequests": Sentence(
        "16 unbonding requests are waiting already, the most an account may have",
        "take out the ripe ones with `jepanet stake withdraw`, then ask again",
    ),
    "NothingToWithdraw": Sentence(
        "no unbonding request is ripe",
        "ask for stake with `jepanet stake unbond AMOUNT` and wait for the vault's delay",
    ),
    "ZeroAmount": Sentence("an amount of zero does nothing", "give an amount above 0"),
    "EntriesPaused": Sentence(
        "the network's owner has paused deposits; what is inside can still be taken out",
        "wait until entries are open again",
    ),
    "TokenTookFee": Sentence(
        "the token delivered {received:tokens} of {asked:tokens} tokens: it charges a fee on transfers",
        "nothing can be staked with such a token: use the deployment's own",
    ),
    "NotRounds": Sentence("only the rounds contract may do this, not {caller}", _REPORT),
    "NothingToSlash": Sentence(
        "{account} has no stake left that could be taken", "nothing: the proof stays good if it stakes again"
    ),
    # ------------------------------------------------------------ verifier sets
    "BadMemberCount": Sentence("a verifier set has 1 to 32 members, not {count}", "name 1 to 32 members"),
    "MembersNotAscending": Sentence(
        "the members of a verifier set are all different and none is the zero address",
        "name each member once",
    ),
    "BadThreshold": Sentence(
        "a threshold of {threshold} does not fit {members} members: it is over half of them and at most all",
        "give a --threshold above half of the members and not above their number",
    ),
    "UnknownSet": Sentence("there is no verifier set {setId}", "see `jepanet verifiers show ID`"),
    "NotMember": Sentence(
        "{account} has no seat in verifier set {setId}",
        "look at `jepanet verifiers show`: only the members it lists can join",
    ),
    "AlreadyJoined": Sentence("{account} has joined verifier set {setId} already", "nothing"),
    "NotJoined": Sentence("{account} has not joined verifier set {setId}", "nothing"),
    "VerifierSetInactive": Sentence(
        "not every member of verifier set {setId} has joined it",
        "wait until every member has run `jepanet verifiers join`",
    ),
    # ------------------------------------------------------------ projects
    "BadEvaluationCount": Sentence(
        "a project has 1 to 256 sealed evaluation shards, not {count}",
        "build the dataset with --size evaluation_shards=N, N from 1 to 256",
    ),
    "UnknownVerifierSet": Sentence(
        "there is no verifier set {setId}", "make one with `jepanet verifiers create`, or name another --set"
    ),
    "UnknownProject": Sentence("there is no project {projectId}", "see `jepanet project list`"),
    "ProjectBusy": Sentence(
        "round {roundId} of project {projectId} is still open", "wait until it has ended"
    ),
    "NoActiveRound": Sentence("project {projectId} has no open round", "nothing: the round has ended"),
    "ShardAlreadyUsed": Sentence("evaluation shard {index} of project {projectId} was drawn before", _REPORT),
    "ShardOutOfRange": Sentence("project {projectId} has no evaluation shard {index}", _REPORT),
    "NoShardsLeft": Sentence(
        "every evaluation shard of project {projectId} is used",
        "build another dataset and make a new project",
    ),
    "NoUnusedShard": Sentence(
        "every evaluation shard of the project is used", "build another dataset and make a new project"
    ),
    "NotProjectOwner": Sentence(
        "project {projectId} does not belong to {caller}",
        "only its owner (`jepanet project show`) can open its rounds",
    ),
    "ZeroDigest": Sentence("a digest that must be given is missing", _REPORT),
    "ZeroAddress": Sentence("an address that must be given is missing", _DEPLOYMENT),
    # ------------------------------------------------------------ rounds: opening
    "BudgetTooSmall": Sentence(
        "a budget of {budget:tokens} tokens is below this network's least, {minimum:tokens} tokens",
        "raise proposer.budget",
    ),
    "BondTooSmall": Sentence(
        "a bond of {bond:tokens} tokens is below this network's least, {minimum:tokens} tokens",
        "raise proposer.bond and proposer.unseal_bond",
    ),
    "AmountTooLarge": Sentence(
        "{amount:tokens} tokens are more than the contracts can count", "ask for less"
    ),
    "BadDuration": Sentence(
        "a phase of {duration} seconds is not between {minimum} seconds and 30 days",
        "correct the durations in [proposer]",
    ),
    "EnforcedPause": Sentence(
        "the network's owner has paused new rounds and commits; open rounds go on to their end",
        "wait until entries are open again",
    ),
    "ExpectedPause": Sentence("the network is not paused", "nothing"),
    "BadConfiguration": Sentence("the deployment's parameters contradict each other", _DEPLOYMENT),
    # ------------------------------------------------------------ rounds: on the way
    "WrongPhase": Sentence("round {roundId} is in another phase: {phase:phase}", _WAIT_PHASE),
    "BadCommitment": Sentence("{commitment} cannot be a commitment", _REPORT),
    "AlreadyCommitted": Sentence(
        "{account} has committed in round {roundId} already", "nothing: a commitment is for good"
    ),
    "VerifierCannotCommit": Sentence(
        "{account} is a verifier of round {roundId}, and verifiers do not train",
        "train with another wallet, or leave the verifier set",
    ),
    "CommitmentMismatch": Sentence(
        "what {solver} reveals in round {roundId} is not what it committed to",
        "restore the journal of the node that committed: its salt opens the commitment",
    ),
    "BeaconAlreadyDrawn": Sentence("the beacon of round {roundId} is drawn already", _OVER),
    "BeaconTooEarly": Sentence(
        "the beacon of round {roundId} needs a block after the one that closed the commits",
        "try again with the next block",
    ),
    "BeaconNotDrawn": Sentence(
        "the beacon of round {roundId} is not drawn yet", "wait: any node draws it after the commits"
    ),
    "NotProposer": Sentence("{caller} did not open round {roundId}", "only its proposer can unseal"),
    "AlreadyUnsealed": Sentence("the evaluation shard of round {roundId} is unsealed already", _OVER),
    "WrongShard": Sentence(
        "this is not evaluation shard {index} that round {roundId} drew",
        "point proposer.dataset at the folder the project was created from",
    ),
    "NotEnoughAttestations": Sentence(
        "{given} signatures are fewer than the {needed} that the round needs",
        "wait for further verifiers",
    ),
    "AttestationsNotSorted": Sentence("signature {position} is not in order of improvement", _REPORT),
    "NotVerifier": Sentence("{signer} is no verifier of round {roundId}", _SHEET),
    "DuplicateSigner": Sentence("{signer} has signed the result of round {roundId} twice", _REPORT),
    "SignerSlashed": Sentence(
        "{signer} lost its stake in round {roundId}: its signature no longer counts",
        "gather enough signatures without it",
    ),
    "PayoutTooLarge": Sentence(
        "the result pays {payout:tokens} tokens and at most {limit:tokens} tokens can be paid", _SHEET
    ),
    "ModelContradictsImprovement": Sentence(
        "the model moves if, and only if, it improved: the signed improvement is {improvement} micro-nats",
        _SHEET,
    ),
    "NotArbiter": Sentence("{caller} is not the network's arbiter", "only the arbiter decides disputes"),
    # ------------------------------------------------------------ rounds: after the end
    "NotUnrevealed": Sentence(
        "{account} did not commit in round {roundId}, or has revealed, or lost its bond already", _OVER
    ),
    "NotRevealed": Sentence(
        "{account} has no bond to return in round {roundId}: nothing was revealed, or it is back or lost",
        "see `jepanet round show ROUND`",
    ),
    "NoEquivocation": Sentence("the two results do not prove that one verifier signed twice", "nothing"),
    "AlreadySlashed": Sentence("{account} lost its stake for round {roundId} already", _OVER),
    "BadProof": Sentence(
        "the claim of {account} is not part of the result recorded for round {roundId}", _SHEET
    ),
    "VerdictCannotClaim": Sentence(
        "a delta found {verdict:verdict} earns nothing and its bond does not return", _SHEET
    ),
    "VerdictNotInvalid": Sentence(
        "a delta found {verdict:verdict} keeps its bond: only an invalid one loses it", _SHEET
    ),
    "ExcludedEarnsNothing": Sentence(
        "the signed result pays {amount:tokens} tokens for an excluded delta, which earns nothing", _SHEET
    ),
    "NothingToClaim": Sentence("{account} has nothing to claim in round {roundId}, or has it already", _OVER),
    "ClaimsOpen": Sentence(
        "claims of round {roundId} are open until {until:time}", "claim before that, or wait until then"
    ),
    "ClaimsEnded": Sentence(
        "claims of round {roundId} ended at {closedAt:time}",
        "`jepanet claim ROUND` still returns a bond; what was not claimed belongs to the proposer",
    ),
    "NoCredit": Sentence("{account} has no credit", "nothing: it was paid out before"),
    # ------------------------------------------------------------ tokens, OpenZeppelin, Solidity
    "ERC20InsufficientBalance": Sentence(
        "{sender} holds {balance:tokens} tokens and {needed:tokens} tokens are needed",
        "send tokens to that wallet",
    ),
    "ERC20InsufficientAllowance": Sentence(
        "{spender} may take {allowance:tokens} tokens and {needed:tokens} tokens are needed",
        "run the command again: it allows the sum first",
    ),
    "ERC20InvalidApprover": Sentence("{approver} cannot allow anything to others", _REPORT),
    "ERC20InvalidReceiver": Sentence("{receiver} cannot receive tokens", "name another receiver"),
    "ERC20InvalidSender": Sentence("{sender} cannot send tokens", _REPORT),
    "ERC20InvalidSpender": Sentence("{spender} cannot be allowed to take tokens", _REPORT),
    "ERC2612ExpiredSignature": Sentence(
        "the signed permission ended at {deadline:time}", "run the command again; check the clock"
    ),
    "ERC2612InvalidSigner": Sentence("the permission is signed by {signer}, not by {owner}", _REPORT),
    "InvalidAccountNonce": Sentence(
        "the permission of {account} carries a used number (its next is {currentNonce})",
        "run the command again",
    ),
    "SafeERC20FailedOperation": Sentence(
        "the token {token} refused a transfer", "check balance and allowance with `jepanet wallet show`"
    ),
    "SafeCastOverflowedUintDowncast": Sentence(
        "a number is larger than the contracts can count ({bits} bits)", "ask for less"
    ),
    "SafeCastOverflowedIntDowncast": Sentence(
        "a number is larger than the contracts can count ({bits} bits)", "ask for less"
    ),
    "InvalidShortString": Sentence("a name is too long or damaged", _DEPLOYMENT),
    "StringTooLong": Sentence("a name is too long: {str}", _DEPLOYMENT),
    "ECDSAInvalidSignature": Sentence("a signature is none", _REPORT),
    "ECDSAInvalidSignatureLength": Sentence("a signature of {length} bytes is none", _REPORT),
    "ECDSAInvalidSignatureS": Sentence("a signature is not in its one accepted form", _REPORT),
    "ReentrancyGuardReentrantCall": Sentence("the contract was called from within itself", _REPORT),
    "OwnableUnauthorizedAccount": Sentence(
        "{account} is not the owner of the contract", "only the owner may do this"
    ),
    "OwnableInvalidOwner": Sentence("{owner} cannot own the contract", "name another owner"),
    "FailedCall": Sentence("a call from contract to contract failed", _REPORT),
    "AddressEmptyCode": Sentence("there is no contract at {target}", _DEPLOYMENT),
    "Error": Sentence("the contract says: {reason}", "do as it says"),
    "Panic": Sentence("the contract broke off: {code}", _REPORT),
    # ------------------------------------------------------------ without a decodable error
    "reverted": Sentence(
        "the contract gave no reason", "check balance, stake and phase; another endpoint may say more"
    ),
    "unknown-error": Sentence(
        "the contract gave a reason that this version does not know: {data}",
        "use the version of jepanet and the deployment file that belong together",
    ),
    "out-of-gas": Sentence(
        "it used up its {gas} gas", "run it again; if it repeats, report it with the transaction"
    ),
}


class _Units(string.Formatter):
    """The formats that sentences use."""

    def format_field(self, value: Any, format_spec: str) -> str:
        match format_spec:
            case "tokens":
                return exact(value)
            case "time":
                return moment(value)
            case "phase":
                return _named(Phase, value)
            case "verdict":
                return _named(Verdict, value)
        text = f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_LONGEST])


def sentence(name: str, arguments: Mapping[str, object]) -> Sentence:
    """The words for an error; an unknown one, or arguments that do not fit, are shown as they are."""
    known = SENTENCES.get(name)
    if known is not None:
        try:
            return Sentence(_Units().vformat(known.says, (), arguments), known.remedy)
        except (KeyError, ValueError, TypeError):
            pass  # decoded in part only: say what there is
    shown = ", ".join(f"{key} {_Units().format_field(value, '')}" for key, value in arguments.items())
    return Sentence(f"{name} {shown}".rstrip(), known.remedy if known else _REPORT)


def moment(seconds: int) -> str:
    """Unix seconds as a date in UTC; a number that no calendar holds stays a number."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def _named(kind: type[Phase] | type[Verdict], value: int) -> str:
    try:
        return kind(value).name.lower()
    except ValueError:
        return str(value)
