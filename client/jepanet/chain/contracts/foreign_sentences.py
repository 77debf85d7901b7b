"""What refusals mean that are not our contracts' own: tokens, OpenZeppelin, Solidity, and none at all."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.chain.contracts.sentence import DEPLOYMENT, REPORT, Sentence

SENTENCES: Mapping[str, Sentence] = {
    "ERC20InsufficientBalance": Sentence(
        "{sender} holds {balance:tokens} tokens and {needed:tokens} tokens are needed",
        "send tokens to that wallet",
    ),
    "ERC20InsufficientAllowance": Sentence(
        "{spender} may take {allowance:tokens} tokens and {needed:tokens} tokens are needed",
        "run the command again: it allows the sum first",
    ),
    "ERC20InvalidApprover": Sentence("{approver} cannot allow anything to others", REPORT),
    "ERC20InvalidReceiver": Sentence("{receiver} cannot receive tokens", "name another receiver"),
    "ERC20InvalidSender": Sentence("{sender} cannot send tokens", REPORT),
    "ERC20InvalidSpender": Sentence("{spender} cannot be allowed to take tokens", REPORT),
    "ERC2612ExpiredSignature": Sentence(
        "the signed permission ended at {deadline:time}", "run the command again; check the clock"
    ),
    "ERC2612InvalidSigner": Sentence("the permission is signed by {signer}, not by {owner}", REPORT),
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
    "InvalidShortString": Sentence("a name is too long or damaged", DEPLOYMENT),
    "StringTooLong": Sentence("a name is too long: {str}", DEPLOYMENT),
    "ECDSAInvalidSignature": Sentence("a signature is none", REPORT),
    "ECDSAInvalidSignatureLength": Sentence("a signature of {length} bytes is none", REPORT),
    "ECDSAInvalidSignatureS": Sentence("a signature is not in its one accepted form", REPORT),
    "ReentrancyGuardReentrantCall": Sentence("the contract was called from within itself", REPORT),
    "OwnableUnauthorizedAccount": Sentence(
        "{account} is not the owner of the contract", "only the owner may do this"
    ),
    "OwnableInvalidOwner": Sentence("{owner} cannot own the contract", "name another owner"),
    "FailedCall": Sentence("a call from contract to contract failed", REPORT),
    "AddressEmptyCode": Sentence("there is no contract at {target}", DEPLOYMENT),
    "Error": Sentence("the contract says: {reason}", "do as it says"),
    "Panic": Sentence("the contract broke off: {code}", REPORT),
    # without a decodable error
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
