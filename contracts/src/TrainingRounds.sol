// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IClaims} from "./interfaces/IClaims.sol";
import {IDisputes} from "./interfaces/IDisputes.sol";
import {IProjects} from "./interfaces/IProjects.sol";
import {IRounds} from "./interfaces/IRounds.sol";
import {IStakes} from "./interfaces/IStakes.sol";
import {ITrainingRounds} from "./interfaces/ITrainingRounds.sol";
import {IVerifierSets} from "./interfaces/IVerifierSets.sol";
import {Batches} from "./rounds/Batches.sol";
import {Beacon} from "./rounds/Beacon.sol";
import {Claims} from "./rounds/Claims.sol";
import {Deposits} from "./rounds/Deposits.sol";
import {Disputes} from "./rounds/Disputes.sol";
import {Opening} from "./rounds/Opening.sol";
import {PartnerStakes} from "./rounds/PartnerStakes.sol";
import {Recording} from "./rounds/Recording.sol";
import {Projects} from "./rounds/Projects.sol";
import {Releases} from "./rounds/Releases.sol";
import {RoundBase} from "./rounds/RoundBase.sol";
import {Sets} from "./rounds/Sets.sol";
import {Solving} from "./rounds/Solving.sol";
import {
    Configuration,
    Leaf,
    Opening as OpenCommitment,
    ProvenLeaf,
    Recorded,
    Result,
    Signature,
    SignedCommit
} from "./types/Round.sol";

/// @title TrainingRounds
/// @notice See `ITrainingRounds`. What happens in every round is in the chapters it inherits; the rest runs in linked
/// libraries, on this contract's state, at addresses that are part of its bytecode.
contract TrainingRounds is Opening, Solving, Beacon, Recording, Claims, Ownable2Step {
    constructor(Configuration memory c) RoundBase(c) Ownable(c.owner) {}

    // ---------------------------------------------------------------- owner

    /// @inheritdoc ITrainingRounds
    function pause() external onlyOwner {
        _pause();
    }

    /// @inheritdoc ITrainingRounds
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @notice Owner only: gives up the office for good, though not while paused.
    function renounceOwnership() public override onlyOwner {
        if (paused()) revert CannotRenounceWhilePaused();
        super.renounceOwnership();
    }

    // ---------------------------------------------------------------- stakes

    /// @inheritdoc IStakes
    function deposit(uint256, address) external whenNotPaused {
        _forward(address(Deposits), Deposits.deposit.selector);
    }

    /// @inheritdoc IStakes
    function depositWithPermit(uint256, address, uint256, uint8, bytes32, bytes32) external whenNotPaused {
        _forward(address(Deposits), Deposits.depositWithPermit.selector);
    }

    /// @inheritdoc IStakes
    function withdraw(uint256, address) external {
        _forward(address(Deposits), Deposits.withdraw.selector);
    }

    /// @inheritdoc IStakes
    function requestUnbond(uint256) external {
        _forward(address(Deposits), Deposits.requestUnbond.selector);
    }

    /// @inheritdoc IStakes
    function withdrawUnbonded(address) external {
        _forward(address(Deposits), Deposits.withdrawUnbonded.selector);
    }

    /// @inheritdoc IStakes
    function collectDebt(address) external returns (uint256) {
        return _forward(address(Deposits), Deposits.collectDebt.selector);
    }

    // ---------------------------------------------------------------- the partner

    /// @inheritdoc IStakes
    function lock(address, uint256) external {
        _forward(address(PartnerStakes), PartnerStakes.lock.selector);
    }

    /// @inheritdoc IStakes
    function unlock(address, uint256) external {
        _forward(address(PartnerStakes), PartnerStakes.unlock.selector);
    }

    /// @inheritdoc IStakes
    function slashBond(address, uint256, address) external {
        _forward(address(PartnerStakes), PartnerStakes.slashBond.selector);
    }

    /// @inheritdoc IStakes
    function slashStake(address, address) external returns (uint256) {
        return _forward(address(PartnerStakes), PartnerStakes.slashStake.selector);
    }

    /// @inheritdoc IStakes
    function hold(uint256) external {
        _forward(address(PartnerStakes), PartnerStakes.hold.selector);
    }

    /// @inheritdoc IStakes
    function releaseHold(uint256) external {
        _forward(address(PartnerStakes), PartnerStakes.releaseHold.selector);
    }

    // ---------------------------------------------------------------- sets and projects

    /// @inheritdoc IVerifierSets
    function createVerifierSet(address[] calldata, uint32, uint128, uint32) external returns (uint256) {
        return _forward(address(Sets), Sets.createVerifierSet.selector);
    }

    /// @inheritdoc IVerifierSets
    function admit(uint256, address, bool) external {
        _forward(address(Sets), Sets.admit.selector);
    }

    /// @inheritdoc IVerifierSets
    function join(uint256) external {
        _forward(address(Sets), Sets.join.selector);
    }

    /// @inheritdoc IVerifierSets
    function leave(uint256) external {
        _forward(address(Sets), Sets.leave.selector);
    }

    /// @inheritdoc IProjects
    function createProject(bytes32, bytes32, bytes32, bytes32, uint32, uint256, bytes32)
        external
        returns (uint256)
    {
        return _forward(address(Projects), Projects.createProject.selector);
    }

    /// @inheritdoc IRounds
    function unseal(uint256, bytes32, bytes32, bytes32[] calldata) external {
        _forward(address(Projects), Projects.unseal.selector);
    }

    // ---------------------------------------------------------------- batches

    /// @inheritdoc IRounds
    function commitListed(uint256, bytes32, bytes32[] calldata) external {
        _forward(address(Batches), Batches.commitListed.selector);
    }

    /// @inheritdoc IRounds
    function commitMany(uint256, SignedCommit[] calldata) external {
        _forward(address(Batches), Batches.commitMany.selector);
    }

    /// @inheritdoc IRounds
    function revealMany(uint256, OpenCommitment[] calldata) external {
        _forward(address(Batches), Batches.revealMany.selector);
    }

    /// @inheritdoc IClaims
    function claimMany(uint256, ProvenLeaf[] calldata) external {
        _forward(address(Batches), Batches.claimMany.selector);
    }

    // ---------------------------------------------------------------- disputes

    /// @inheritdoc IDisputes
    function challenge(uint256, bytes32, Recorded calldata) external {
        _forward(address(Disputes), Disputes.challenge.selector);
    }

    /// @inheritdoc IDisputes
    function overturn(uint256, Recorded calldata, address) external {
        _forward(address(Disputes), Disputes.overturn.selector);
    }

    /// @inheritdoc IDisputes
    function uphold(uint256) external {
        _forward(address(Disputes), Disputes.uphold.selector);
    }

    /// @inheritdoc IDisputes
    function closeChallenge(uint256, address) external {
        _forward(address(Disputes), Disputes.closeChallenge.selector);
    }

    // ---------------------------------------------------------------- ends without a claim

    /// @inheritdoc IClaims
    function cancel(uint256) external {
        _forward(address(Releases), Releases.cancel.selector);
    }

    /// @inheritdoc IClaims
    function releaseBond(uint256) external {
        _forward(address(Releases), Releases.releaseBond.selector);
    }

    /// @inheritdoc IClaims
    function sweep(uint256) external {
        _forward(address(Releases), Releases.sweep.selector);
    }

    /// @inheritdoc IClaims
    function slashNonReveal(uint256, address) external {
        _forward(address(Releases), Releases.slashNonReveal.selector);
    }

    /// @inheritdoc IClaims
    function slashInvalid(uint256, Leaf calldata, bytes32[] calldata) external {
        _forward(address(Releases), Releases.slashInvalid.selector);
    }

    /// @inheritdoc IDisputes
    function slashEquivocation(Result calldata, Signature calldata, Result calldata, Signature calldata)
        external
    {
        _forward(address(Releases), Releases.slashEquivocation.selector);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc ITrainingRounds
    function extsload(bytes32[] calldata slots) external view returns (bytes32[] memory words) {
        words = new bytes32[](slots.length);
        for (uint256 i = 0; i < slots.length; ++i) {
            bytes32 slot = slots[i];
            bytes32 word;
            assembly ("memory-safe") {
                word := sload(slot)
            }
            words[i] = word;
        }
    }
}
