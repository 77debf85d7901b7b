// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CancelCause, Phase, Standing} from "../../src/types/Enums.sol";
import {AccountView, ProjectView, RoundView, SetView} from "../../src/types/Views.sol";
import {vm} from "../Vm.sol";
import {Committee, Plan, Run} from "./Model.sol";
import {StakeActs} from "./StakeActs.sol";

/// @dev What always holds, each as a rule of its own. What is wrong once stays wrong: of sets, older rounds and solvers one
/// is looked at after each call, in turn.
abstract contract Checks is StakeActs {
    function check() external view {
        AccountView[] memory found = new AccountView[](accounts.length);
        for (uint256 i = 0; i < found.length; ++i) {
            found[i] = w.lens.accountOf(accounts[i]);
        }
        _checkBooks(found);
        _checkRequests(found);
        _checkHeldStake(found);
        _checkSet(1 + calls % SETS);
        _checkProjects();
        for (uint256 projectId = 1; projectId <= PROJECTS; ++projectId) {
            if (plans[projectId].active != 0) _checkRound(plans[projectId].active);
        }
        if (roundCount != 0) _checkRound(1 + calls % roundCount);
    }

    /// @dev Every token is somebody's: free, locked, unbonding, escrowed in a round or set aside for a challenger; and every
    /// account has exactly what the ledger kept beside the contract says.
    function _checkBooks(AccountView[] memory found) private view {
        uint256 sum = allEscrows + allPots;
        for (uint256 i = 0; i < found.length; ++i) {
            Holder storage holder = holders[accounts[i]];
            sum += uint256(found[i].free) + found[i].locked + found[i].unbonding;
            _same(uint256(found[i].free), holder.free, "books: free");
            _same(uint256(found[i].locked), holder.locked, "books: locked");
            _same(uint256(found[i].unbonding), _unbonding(accounts[i]), "books: unbonding");
            _same(uint256(found[i].debt), holder.debt, "books: debt");
            _same(uint256(found[i].joined), holder.joined, "books: joined");
            _same(found[i].verifier, holder.verifier, "books: verifier");
            _same(found[i].held, _isHeld(accounts[i]), "books: held");
        }
        _same(w.token.balanceOf(address(w.rounds)), sum, "books: every token is somebody's");
    }

    /// @dev What an account has in unbonding is the sum of its requests, which mature in the order they were made.
    function _checkRequests(AccountView[] memory found) private view {
        for (uint256 i = 0; i < found.length; ++i) {
            Request[] storage requests = holders[accounts[i]].requests;
            if (found[i].unbonding == 0 && requests.length == 0 && i != calls % found.length) continue;
            (uint128[] memory amounts, uint64[] memory at) = w.lens.unbondRequestsOf(accounts[i]);
            uint256 sum = 0;
            _same(amounts.length, requests.length, "requests: number");
            for (uint256 j = 0; j < amounts.length; ++j) {
                sum += amounts[j];
                _same(uint256(amounts[j]), requests[j].amount, "requests: amount");
                _same(uint256(at[j]), requests[j].at, "requests: time");
            }
            _same(uint256(found[i].unbonding), sum, "requests: their sum is what is unbonding");
        }
    }

    /// @dev Who is held by an open round has the minimum in slashable stake, unless it was slashed since the opening.
    function _checkHeldStake(AccountView[] memory found) private view {
        for (uint256 i = 0; i < found.length; ++i) {
            Holder storage holder = holders[accounts[i]];
            if (!holder.verifier) continue;
            for (uint256 projectId = 1; projectId <= PROJECTS; ++projectId) {
                Run storage r = runs[plans[projectId].active];
                if (_seatOf(committees[r.set], accounts[i]) == NONE) continue;
                _holds(found[i].held, "held stake: an open round holds its set");
                if (holder.slashedAt >= r.openedAt) continue;
                uint256 slashable = uint256(found[i].free) + found[i].unbonding;
                _holds(slashable >= MINIMUM, "held stake: at least the minimum");
            }
        }
    }

    /// @dev A set's holds are its open rounds and the partner's, so none ends with another's end; its escrow at risk is that
    /// of its open rounds and within its cap.
    function _checkSet(uint256 setId) private view {
        SetView memory found = w.lens.getSet(setId);
        Committee storage set = committees[setId];
        (uint256 open, uint256 atRisk) = (0, 0);
        for (uint256 projectId = 1; projectId <= PROJECTS; ++projectId) {
            Run storage r = runs[plans[projectId].active];
            if (r.set != setId) continue;
            open += 1;
            atRisk += r.budget + r.fee;
        }
        _same(uint256(found.openRounds), open + set.holds, "sets: a hold for each open round");
        _same(uint256(found.escrowAtRisk), atRisk, "sets: escrow at risk");
        _atMost(found.escrowAtRisk, set.cap, "sets: never beyond the cap");
        for (uint256 seat = 0; seat < 3; ++seat) {
            bool joined = found.joined >> seat & 1 == 1;
            _same(joined, set.joined[set.members[seat]], "sets: joined");
        }
    }

    /// @dev The model moves by settling only, shards are only ever added, and an ended round frees its project.
    function _checkProjects() private view {
        for (uint256 projectId = 1; projectId <= PROJECTS; ++projectId) {
            ProjectView memory found = w.lens.getProject(projectId);
            Plan storage plan = plans[projectId];
            _same(found.model, plan.model, "projects: the model moves by settling only");
            _same(found.usedShards & plan.used, plan.used, "projects: a used shard stays used");
            _same(found.usedShards, plan.used, "projects: shards are used by unsealing only");
            _same(found.activeRound, plan.active, "projects: active round");
            _same(uint256(found.rounds), plan.rounds, "projects: rounds");
        }
    }

    /// @dev A round is what the calls made of it; a seat was slashed once at most, and what the round still holds covers what
    /// it may still have to pay.
    function _checkRound(uint256 id) private view {
        Run storage r = runs[id];
        RoundView memory found = w.lens.getRound(id);
        bool open = plans[r.project].active == id;
        _same(open, _isOpen(id), "rounds: an open round is its project's");
        _same(uint256(found.phase), uint256(_phase(id)), "rounds: phase");
        _same(uint256(found.cause), uint256(r.cause), "rounds: cause");
        _same(uint256(found.commits), r.commits, "rounds: commits");
        _same(uint256(found.reveals), r.reveals, "rounds: reveals");
        _same(uint256(found.commitEnd), r.commitEnd, "rounds: end of COMMIT");
        _same(uint256(found.revealEnd), _revealEnd(r), "rounds: end of REVEAL");
        _same(uint256(found.beaconBlock), r.beaconBlock, "rounds: block of the draw");
        _same(found.beaconDrawn, r.drawn, "rounds: drawn");
        _same(uint256(found.evaluationIndex), r.index, "rounds: index");
        _same(found.unsealed, r.unsealed, "rounds: unsealed");
        _same(uint256(found.challenges), r.challenges, "rounds: challenges");
        _same(uint256(found.feesPaid), r.feesPaid, "rounds: fees paid");
        _same(uint256(found.feesClaimed), r.feesClaimed, "rounds: fees");
        _atMost(found.feesClaimed, r.fee, "rounds: fees within the fee");
        _same(uint256(found.slashed), r.slashed, "rounds: slashed");
        for (uint256 seat = 0; seat < 3; ++seat) {
            _atMost(r.slashes[seat], 1, "rounds: one slash for each seat");
        }
        _checkEscrow(id, found);
        _checkStanding(id, solvers[calls % solvers.length]);
    }

    function _checkEscrow(uint256 id, RoundView memory found) private view {
        Run storage r = runs[id];
        uint256 owed = 0;
        if (_isOpen(id)) {
            owed = uint256(found.budget) + found.fee + found.unsealBond;
            if (found.beaconBlock == 0) owed += KEEPER;
            if (!found.beaconDrawn) owed += KEEPER;
        } else if (r.settled) {
            owed = found.unclaimed;
        } else if (found.cause == CancelCause.NotUnsealed) {
            // Of all accounts: verifiers of the other set solve as well.
            for (uint256 i = 0; i < accounts.length; ++i) {
                if (standings[id][accounts[i]] == Standing.Revealed) {
                    owed += found.unsealBond / found.reveals;
                }
            }
        }
        _same(escrows[id], owed, "rounds: the escrow is what may still have to be paid");
    }

    /// @dev Until its word in the lane is used again.
    function _checkStanding(uint256 id, address solver) private view {
        Run storage r = runs[id];
        if (_seatOf(committees[r.set], solver) != NONE) return;
        (bytes29 commitment, Standing found) = w.lens.commitmentOf(id, solver);
        bool recycled = lanes[_lane(r)][solver] != id;
        Standing expected = recycled ? Standing.None : standings[id][solver];
        _same(uint256(found), uint256(expected), "rounds: standing");
        if (expected != Standing.Committed) return;
        _same(bytes32(commitment), bytes32(bytes29(_commitment(id, solver))), "rounds: commitment");
    }

    // Not forge's assertions: there are two hundred after each call, and each would leave the machine.

    function _holds(bool condition, string memory rule) private pure {
        if (!condition) revert(rule);
    }

    function _same(bool left, bool right, string memory rule) private pure {
        if (left != right) revert(rule);
    }

    function _same(bytes32 left, bytes32 right, string memory rule) private pure {
        if (left != right) revert(rule);
    }

    function _same(uint256 left, uint256 right, string memory rule) private pure {
        if (left != right) {
            revert(string.concat(rule, ": ", vm.toString(left), " and not ", vm.toString(right)));
        }
    }

    function _atMost(uint256 left, uint256 right, string memory rule) private pure {
        if (left > right) revert(string.concat(rule, ": ", vm.toString(left), " > ", vm.toString(right)));
    }
}
