// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClaims} from "../interfaces/IClaims.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {IProjects} from "../interfaces/IProjects.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {IStakes} from "../interfaces/IStakes.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {IVerifierSets} from "../interfaces/IVerifierSets.sol";
import {Batches} from "./Batches.sol";
import {Deposits} from "./Deposits.sol";
import {Disputes} from "./Disputes.sol";
import {PartnerStakes} from "./PartnerStakes.sol";
import {Projects} from "./Projects.sol";
import {Releases} from "./Releases.sol";
import {Sets} from "./Sets.sol";

/// @title Which linked library runs a function of `ITrainingRounds` that is not in the core's own bytecode.
library Routes {
    /// @notice The library of a function, and the function's selector there, which is another where it takes structs.
    /// The most frequent come first.
    function find(bytes4 called) internal pure returns (address library_, bytes4 selector) {
        if (called == IRounds.revealMany.selector) return (address(Batches), Batches.revealMany.selector);
        if (called == IRounds.commitMany.selector) return (address(Batches), Batches.commitMany.selector);
        if (called == IClaims.claimMany.selector) return (address(Batches), Batches.claimMany.selector);
        if (called == IDisputes.challenge.selector) return (address(Disputes), Disputes.challenge.selector);
        if (called == IDisputes.overturn.selector) return (address(Disputes), Disputes.overturn.selector);
        if (called == IClaims.slashInvalid.selector) {
            return (address(Releases), Releases.slashInvalid.selector);
        }
        if (called == IDisputes.slashEquivocation.selector) {
            return (address(Releases), Releases.slashEquivocation.selector);
        }
        return (_plain(called), called);
    }

    /// @dev Of functions without structs, whose selectors are the same in the library.
    function _plain(bytes4 called) private pure returns (address) {
        if (called == IRounds.commitListed.selector) return address(Batches);
        if (
            called == IRounds.closeCommits.selector || called == IRounds.unseal.selector
                || called == IProjects.createProject.selector
        ) return address(Projects);
        if (
            called == IClaims.cancel.selector || called == IClaims.releaseBond.selector
                || called == IClaims.sweep.selector || called == IClaims.slashNonReveal.selector
        ) return address(Releases);
        if (
            called == IStakes.deposit.selector || called == IStakes.depositWithPermit.selector
                || called == IStakes.withdraw.selector || called == IStakes.requestUnbond.selector
                || called == IStakes.withdrawUnbonded.selector || called == IStakes.collectDebt.selector
        ) return address(Deposits);
        if (called == IDisputes.uphold.selector || called == IDisputes.closeChallenge.selector) {
            return address(Disputes);
        }
        if (
            called == IVerifierSets.createVerifierSet.selector || called == IVerifierSets.admit.selector
                || called == IVerifierSets.join.selector || called == IVerifierSets.leave.selector
        ) return address(Sets);
        if (
            called == IStakes.lock.selector || called == IStakes.unlock.selector
                || called == IStakes.slashBond.selector || called == IStakes.slashStake.selector
                || called == IStakes.hold.selector || called == IStakes.releaseHold.selector
        ) return address(PartnerStakes);
        revert ITrainingRounds.UnknownFunction(called);
    }
}
