// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Stakes of every participant, in the deployment's one ERC-20 token.
/// @notice Stake is free (backs new bonds; rewards and returned escrows arrive here), locked (backs bonds) or unbonding
/// (a verifier's, on its way out and still slashable). All amounts together never exceed 96 bits.
///
/// An account that ever joined a verifier set takes its free stake out by unbonding; everybody else with one call. While
/// it has joined a set, its free stake stays at `minimumVerifierStake`; while a round of a set it joined is open, free
/// plus unbonding do. What a slash could not take is a debt: nothing is locked or leaves before it is paid.
interface IStakes {
    /// @param payer who sent the tokens.
    event Staked(address indexed account, address indexed payer, uint256 amount);
    event UnbondRequested(address indexed account, uint256 amount, uint64 availableAt);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);
    /// @dev Of `amount`, a tenth is the reporter's free stake (while a round is disputed in which `account` signed: set
    /// aside for its challenger), the rest the treasury's.
    event Slashed(address indexed account, uint256 amount, address indexed reporter);
    /// @param debt what is owed from now on.
    event DebtChanged(address indexed account, uint256 debt);
    /// @dev The partner's locks only; those of rounds follow from `Committed`, `BondReleased`, `BondSlashed`,
    /// `Challenged` and `ChallengeClosed`, each of which names the amount.
    event StakeLocked(address indexed account, uint256 amount);
    event StakeUnlocked(address indexed account, uint256 amount);
    /// @dev The partner's holds only; a round holds its set from `RoundOpened` to `RoundSettled` or `RoundCancelled`.
    event SetHeld(uint256 indexed setId, bool held);

    error ZeroAddress();
    error ZeroAmount();
    error NotPartner(address caller);
    /// @dev The token delivered another amount than was asked for (a fee on transfer, for example).
    error TokenTookFee(uint256 asked, uint256 received);
    /// @dev An amount, or all tokens here together, would exceed 96 bits.
    error AmountTooLarge(uint256 amount);
    /// @dev `account` has less free stake than needed.
    error InsufficientStake(address account, uint256 available, uint256 needed);
    /// @dev The stake backs a verifier's duty: leave the sets, and wait for their open rounds to end.
    error StakeHeld(address account);
    /// @dev A verifier's free stake leaves by `requestUnbond` and `withdrawUnbonded`.
    error VerifierMustUnbond(address account);
    /// @dev The account owes what a slash could not take.
    error InDebt(address account, uint256 debt);
    error NoDebt(address account);
    /// @dev At most `MAX_UNBOND_REQUESTS` (16) requests may be pending: withdraw the matured ones first.
    error TooManyUnbondRequests();
    /// @dev No unbond request has matured.
    error NothingToWithdraw();

    // ---------------------------------------------------------------- participants

    /// @notice Adds `amount` of the caller's tokens (which must be approved) to the free stake of `account`.
    /// @dev Anyone, unless paused. Nothing can be gained by sending something before it. 82k gas the first time, 65k
    /// later.
    function deposit(uint256 amount, address account) external;

    /// @notice Like `deposit`, with the caller's ERC-2612 permit. A permit that somebody already submitted does no harm.
    /// @dev As `deposit`, and what the token's permit costs. It can be front-run by the permit alone, which changes nothing.
    function depositWithPermit(
        uint256 amount,
        address account,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Pays free stake of the caller out to `to`, for accounts that never joined a verifier set.
    /// @dev The caller alone, any time, also while paused, for 55k to 72k gas. A debt of the caller refuses it, so that a
    /// proof against it can come first.
    function withdraw(uint256 amount, address to) external;

    /// @notice Moves free stake of the caller into unbonding. Every request matures on its own after `unbondDelay`.
    /// @dev The caller alone, any time, for 110k gas; a slash before it takes of what is free. Refused if it would take a
    /// member of a set that it has not left below `minimumVerifierStake`, so that no member can stop its set in silence.
    function requestUnbond(uint256 amount) external;

    /// @notice Pays every matured request of the caller out to `to`, as far as its sets' open rounds allow.
    /// @dev The caller alone, any time, for 80k gas with one request. A round that is opened before it holds the
    /// minimum, unless the caller has left its sets; a slash before it takes what is unbonding.
    function withdrawUnbonded(address to) external;

    /// @notice Takes what `account` owes from its free, then its unbonding stake; a tenth to the caller.
    /// @dev Anyone, any time, for 77k gas. Can be front-run for the tenth, and by the debtor only with a payment.
    function collectDebt(address account) external returns (uint256 taken);

    // ---------------------------------------------------------------- the partner

    /// @notice Partner only: turns free stake into locked stake, by the same rules as a bond.
    /// @dev Any time, for 62k gas. The account can use or withdraw its free stake before it.
    function lock(address account, uint256 amount) external;

    /// @notice Partner only: turns what the partner locked, and no other stake, back into free stake.
    /// @dev Any time, for 45k gas. Nothing can come between: only the partner moves what it locked.
    function unlock(address account, uint256 amount) external;

    /// @notice Partner only: takes what the partner locked; a tenth to `reporter`.
    /// @dev Any time, for 88k gas. Nothing can come between: only the partner moves what it locked.
    function slashBond(address account, uint256 amount, address reporter) external;

    /// @notice Partner only: takes up to `minimumVerifierStake`, as an overturned result would; the rest is a debt.
    /// @dev Any time, for 78k gas. An account that never joined a set can withdraw before it and is left with the debt.
    function slashStake(address account, address reporter) external returns (uint256 taken);

    /// @notice Partner only: holds the members of a set that all have joined, like an open round.
    /// @dev Any time, for 61k gas. A member that leaves before it makes it fail.
    function hold(uint256 setId) external;

    /// @notice Partner only: ends one of the partner's holds, and no round's.
    /// @dev Any time, for 39k gas. Nothing can be gained by sending something before it.
    function releaseHold(uint256 setId) external;
}
