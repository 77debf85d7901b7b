"""What refusals before a round mean: stakes, verifier sets, projects, openings."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.chain.contracts.sentence import DEPLOYMENT, REPORT, Sentence

SENTENCES: Mapping[str, Sentence] = {
    # stakes
    "InsufficientStake": Sentence(
        "{account} has {available:tokens} tokens of free stake and {needed:tokens} tokens are needed",
        "deposit the difference with `jepanet stake deposit AMOUNT`, or ask for less",
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
    "TokenTookFee": Sentence(
        "the token delivered {received:tokens} of {asked:tokens} tokens: it charges a fee on transfers",
        "nothing can be staked with such a token: use the deployment's own",
    ),
    "StakeHeld": Sentence(
        "the stake of {account} backs its duty as a verifier",
        "leave its sets (`jepanet verifiers leave`), and wait until their open rounds have ended",
    ),
    "VerifierMustUnbond": Sentence(
        "{account} has been a verifier, and a verifier's stake leaves by unbonding",
        "ask for it with `jepanet stake unbond AMOUNT` and take it out when it is ripe",
    ),
    "InDebt": Sentence(
        "{account} owes {debt:tokens} tokens that a slash could not take; nothing is locked or leaves before",
        "deposit at least that much with `jepanet stake deposit AMOUNT`, then `jepanet stake collect`",
    ),
    "NoDebt": Sentence("{account} owes nothing", "nothing: there is no debt, or it was collected"),
    "NotPartner": Sentence("only the deployment's partner contract may do this, not {caller}", REPORT),
    # verifier sets
    "BadMemberCount": Sentence("a verifier set has 1 to 32 members, not {count}", "name 1 to 32 members"),
    "MembersNotAscending": Sentence(
        "the members of a verifier set are all different and none is the zero address",
        "name each member once",
    ),
    "BadThreshold": Sentence(
        "a threshold of {threshold} does not fit {members} members: it is over half of them and at most all",
        "give a --threshold above half of the members and not above their number",
    ),
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
    "BadLimits": Sentence(
        "a verifier set needs a cap (here {cap:tokens} tokens) and a longest hold (here {maxHold} seconds)",
        "give --cap and --max-hold above 0; a cap is below 2^96 units of the token",
    ),
    "NotCurator": Sentence(
        "{account} is not the curator of verifier set {setId}",
        "only the wallet that created it can admit proposers",
    ),
    "NotAdmitted": Sentence(
        "the curator of verifier set {setId} has not admitted {proposer}",
        "ask the curator to run `jepanet verifiers admit`",
    ),
    "HoldTooLong": Sentence(
        "the round could hold verifier set {setId} for {duration} seconds; its members agreed to {longest}",
        "shorten the durations in [proposer], or use a set with a longer hold",
    ),
    "CapExceeded": Sentence(
        "the open rounds of verifier set {setId} would put {escrow:tokens} tokens at risk, and its cap is "
        "{cap:tokens} tokens",
        "wait until a round of the set ends, lower budget and fee, or use a set with a higher cap",
    ),
    "ContractCannotSign": Sentence(
        "{account} is a contract, and a verifier signs results with a key",
        "join with a wallet that has a key",
    ),
    "TooManySets": Sentence(
        "{account} belongs to 8 verifier sets, the most there may be",
        "leave one, and wait until its open rounds have ended",
    ),
    "BlobNotStored": Sentence("the data of a verifier set could not be stored on the chain", REPORT),
    # projects
    "BadEvaluationCount": Sentence(
        "a project has 1 to 256 sealed evaluation shards, not {count}",
        "build the dataset with --size evaluation_shards=N, N from 1 to 256",
    ),
    "UnknownVerifierSet": Sentence(
        "there is no verifier set {setId}", "make one with `jepanet verifiers create`, or name another --set"
    ),
    "ProjectBusy": Sentence(
        "round {roundId} of project {projectId} is still open", "wait until it has ended"
    ),
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
    "ZeroDigest": Sentence("a digest that must be given is missing", REPORT),
    "ZeroAddress": Sentence("an address that must be given is missing", DEPLOYMENT),
    "TooManyProjects": Sentence("the contract can hold no further project", DEPLOYMENT),
    "TooManyRounds": Sentence(
        "project {projectId} has had 65,535 rounds, the most there may be",
        "make a new project from its model",
    ),
    # openings
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
        "the network's owner has paused deposits and new rounds; open rounds go on, and what is inside can "
        "be taken out",
        "wait until entries are open again",
    ),
    "ExpectedPause": Sentence("the network is not paused", "nothing"),
    "BadConfiguration": Sentence("the deployment's parameters contradict each other", DEPLOYMENT),
    "BondTooFine": Sentence(
        "a bond of {bond:tokens} tokens is no multiple of 0.000000001 tokens",
        "round proposer.bond and proposer.unseal_bond to 9 decimals",
    ),
    "TooManySolvers": Sentence(
        "a round has at most 65,535 solvers, not {count}",
        "lower proposer.max_solvers; 0 is the most there can be",
    ),
    "UnknownFunction": Sentence(
        "the deployment has no function of the selector {selector}",
        "use a client of the version that the deployment was made with",
    ),
    "CannotRenounceWhilePaused": Sentence(
        "an owner that leaves while the network is paused would leave the pause for ever", "unpause it first"
    ),
}
