"""What refusals in the life of a round mean."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.chain.contracts.sentence import OVER, REPORT, SHEET, WAIT_PHASE, Sentence

SENTENCES: Mapping[str, Sentence] = {
    # on the way
    "WrongPhase": Sentence("round {roundId} is in another phase: {phase:phase}", WAIT_PHASE),
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
    "BeaconAlreadyDrawn": Sentence("the beacon of round {roundId} is drawn already", OVER),
    "BeaconTooEarly": Sentence(
        "block {blockNumber}, which draws for round {roundId}, is not over yet",
        "try again with the next block",
    ),
    "BeaconNotDrawn": Sentence(
        "the beacon of round {roundId} is not drawn yet", "wait: any node draws it after the commits"
    ),
    "NotProposer": Sentence("{caller} did not open round {roundId}", "only its proposer can unseal"),
    "AlreadyUnsealed": Sentence("the evaluation shard of round {roundId} is unsealed already", OVER),
    "WrongShard": Sentence(
        "this is not evaluation shard {index} that round {roundId} drew",
        "point proposer.dataset at the folder the project was created from",
    ),
    "NotEnoughAttestations": Sentence(
        "{given} signatures are fewer than the {needed} that the round needs",
        "wait for further verifiers",
    ),
    "AttestationsNotSorted": Sentence("signature {position} is not in order of improvement", REPORT),
    "NotVerifier": Sentence("{signer} is no verifier of round {roundId}", SHEET),
    "DuplicateSigner": Sentence("{signer} has signed the result of round {roundId} twice", REPORT),
    "SignerSlashed": Sentence(
        "{signer} lost its stake in round {roundId}: its signature no longer counts",
        "gather enough signatures without it",
    ),
    "PayoutTooLarge": Sentence(
        "the result pays {payout:tokens} tokens and at most {limit:tokens} tokens can be paid", SHEET
    ),
    "ModelContradictsImprovement": Sentence(
        "the model moves if, and only if, it improved: the signed improvement is {improvement} micro-nats",
        SHEET,
    ),
    "NotArbiter": Sentence("{caller} is not the network's arbiter", "only the arbiter decides disputes"),
    "RoundFull": Sentence("every place of round {roundId} is taken", OVER),
    "NotListed": Sentence(
        "round {roundId} admits only the accounts of a list, and {account} is not shown to be on it",
        "nothing: the proposer decides who is on it",
    ),
    "ClaimFirst": Sentence(
        "a bond of {account} from an earlier round of the project is still there, and round {roundId} needs "
        "its place",
        "take it out with `jepanet claim`",
    ),
    "AlreadyRevealed": Sentence("{solver} has revealed in round {roundId} already", OVER),
    "BeaconAlreadyFixed": Sentence("the block that draws for round {roundId} is fixed already", OVER),
    "BeaconNotFixed": Sentence(
        "no block is fixed yet that draws for round {roundId}", "wait: any node fixes one after the commits"
    ),
    "WrongHeader": Sentence(
        "this is not the header of block {blockNumber}, which draws for round {roundId}",
        "ask another endpoint (chain.endpoints) for that block",
    ),
    "MalformedHeader": Sentence("the header of a block has another form than the contract reads", REPORT),
    "ShardReused": Sentence(
        "the data of shard {shard} has judged an earlier round of project {projectId}",
        "make a new project: this one seals the same data twice",
    ),
    "SignerUnderStaked": Sentence(
        "{signer} has less stake than verifiers need: its signature for round {roundId} does not count",
        "gather enough signatures without it, or have it deposit more",
    ),
    "BadSignature": Sentence("a signature is none", REPORT),
    # after the end
    "NotUnrevealed": Sentence(
        "{account} did not commit in round {roundId}, or has revealed, or lost its bond already", OVER
    ),
    "NotRevealed": Sentence(
        "{account} has no bond to return in round {roundId}: nothing was revealed, or it is back or lost",
        "see `jepanet round show ROUND`",
    ),
    "NoEquivocation": Sentence("the two results do not prove that one verifier signed twice", "nothing"),
    "AlreadySlashed": Sentence("{account} lost its stake for round {roundId} already", OVER),
    "BadProof": Sentence(
        "the claim of {account} is not part of the result recorded for round {roundId}", SHEET
    ),
    "VerdictCannotClaim": Sentence(
        "a delta found {verdict:verdict} earns nothing and its bond does not return", SHEET
    ),
    "VerdictNotInvalid": Sentence(
        "a delta found {verdict:verdict} keeps its bond: only an invalid one loses it", SHEET
    ),
    "ExcludedEarnsNothing": Sentence(
        "the signed result pays {amount:tokens} tokens for an excluded delta, which earns nothing", SHEET
    ),
    "NothingToClaim": Sentence("{account} has nothing to claim in round {roundId}, or has it already", OVER),
    "ClaimsOpen": Sentence(
        "claims of round {roundId} are open until {until:time}", "claim before that, or wait until then"
    ),
    "ClaimsEnded": Sentence(
        "claims of round {roundId} ended at {closedAt:time}",
        "`jepanet claim ROUND` still returns a bond; what was not claimed goes to the treasury",
    ),
    "NotRecorded": Sentence("this is not the result that round {roundId} recorded", SHEET),
    "AlreadyChallenged": Sentence(
        "{challenger} has challenged round {roundId} already", "wait for the arbiter"
    ),
    "NotChallenger": Sentence("{account} has no open challenge in round {roundId}", OVER),
    "ChallengeOpen": Sentence(
        "the dispute about round {roundId} is not decided yet, and with it the bond of {challenger}",
        "wait for the arbiter, or until its time is over",
    ),
}
