// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRounds} from "../../src/interfaces/IRounds.sol";
import {CancelCause, Phase} from "../../src/types/Enums.sol";
import {RoundParams} from "../../src/types/Round.sol";
import {BlockHeaders} from "../BlockHeaders.sol";
import {MerkleTree} from "../MerkleTree.sol";
import {SealedTree} from "../SealedTree.sol";
import {vm} from "../Vm.sol";
import {Committee, Plan, Run} from "./Model.sol";
import {SolverActs} from "./SolverActs.sol";

/// @dev Openings, the draw of the shard, its unsealing, and cancelling.
abstract contract ProposerActs is SolverActs {
    // ---------------------------------------------------------------- open

    function _params(uint256 projectId) private returns (RoundParams memory p) {
        p.projectId = projectId;
        p.spec = bytes32(_word() | 1);
        p.budget = uint128(1 ether + _roll(_oneIn(6) ? 1500 ether : 500 ether));
        p.fee = uint128(_roll(30 ether));
        p.bond = uint128((1 ether + _roll(20 ether)) / 1e9 * 1e9);
        p.unsealBond = uint128((1 ether + _roll(50 ether)) / 1e9 * 1e9);
        p.commitDuration = uint32(60 + _roll(2 hours));
        p.gap = uint32(60 + _roll(120));
        p.revealDuration = uint32(60 + _roll(2 hours));
        p.verifyDuration = uint32(60 + _roll(2 hours));
        p.challengeDuration = uint32(1 hours + _roll(2 days));
        p.maxSolvers = _oneIn(2) ? uint32(1 + _roll(3)) : 0;
        if (_oneIn(4)) p.allowList = MerkleTree.root(listHashes);
    }

    /// @dev Bends one parameter out of its bounds.
    function _spoil(RoundParams memory p) private {
        uint256 which = _roll(10);
        if (which == 0) p.spec = 0;
        if (which == 1) p.budget = 1 ether - 1;
        if (which == 2) p.bond += 1;
        if (which == 3) p.unsealBond = 1 ether - 1e9;
        if (which == 4) p.commitDuration = 59;
        if (which == 5) p.gap = 59;
        if (which == 6) p.revealDuration = 59;
        if (which == 7) p.verifyDuration = 30 days + 1;
        if (which == 8) p.challengeDuration = 1 hours - 1;
        if (which == 9) p.maxSolvers = 65_536;
    }

    /// @dev All phases together, and the arbiter's time, within what the set's members consented to.
    function _holdFits(RoundParams memory p) private pure returns (bool) {
        return uint256(p.commitDuration) + p.gap + p.revealDuration + p.verifyDuration + p.challengeDuration
                + RESOLVE <= MAX_HOLD;
    }

    function _mayOpen(Plan storage plan, address from, uint256 escrow) private view returns (bool) {
        Committee storage set = committees[plan.set];
        if (paused || plan.owner != from || plan.active != 0) return false;
        if (_ones(plan.used) == plan.shards || set.seated != set.members.length) return false;
        if (set.atRisk + escrow > set.cap) return false;
        for (uint256 i = 0; i < set.members.length; ++i) {
            if (holders[set.members[i]].free < MINIMUM || _inDebt(set.members[i])) return false;
        }
        return true;
    }

    function _isIdle(uint256 projectId) private view returns (bool) {
        return plans[projectId].active == 0 && _ones(plans[projectId].used) != plans[projectId].shards;
    }

    function _ones(uint256 bits) internal pure returns (uint256 count) {
        for (; bits != 0; bits >>= 1) {
            count += bits & 1;
        }
    }

    function _open() internal {
        uint256 projectId = focus != 0 ? focus : 1 + _roll(PROJECTS);
        for (uint256 i = 0; focus == 0 && i < 4 && !_isIdle(projectId); ++i) {
            projectId = 1 + _roll(PROJECTS);
        }
        Plan storage plan = plans[projectId];
        address from = _mostly(plan.owner);
        RoundParams memory p = _params(projectId);
        bool spoilt = _oneIn(12);
        if (spoilt) _spoil(p);
        else if (_oneIn(20)) p.challengeDuration = 30 days;
        else if (_oneIn(20)) (p.commitDuration, p.challengeDuration) = (30 days, 30 days);
        bool due = !spoilt && _holdFits(p) && _mayOpen(plan, from, uint256(p.budget) + p.fee);
        if (!_try("openRound", from, abi.encodeCall(IRounds.openRound, (p)), due)) return;
        _opened(plan, p);
    }

    function _opened(Plan storage plan, RoundParams memory p) private {
        roundCount += 1;
        uint256 id = roundCount;
        plan.rounds += 1;
        plan.active = id;
        Run storage r = runs[id];
        (r.project, r.number, r.set, r.proposer) = (p.projectId, plan.rounds, plan.set, plan.owner);
        (r.budget, r.fee, r.bond, r.unsealBond) = (p.budget, p.fee, p.bond, p.unsealBond);
        (r.commitDuration, r.gap, r.revealDuration) = (p.commitDuration, p.gap, p.revealDuration);
        (r.verifyDuration, r.challengeDuration) = (p.verifyDuration, p.challengeDuration);
        r.listed = p.allowList != 0;
        r.places = p.maxSolvers == 0 ? 65_535 : p.maxSolvers;
        r.commitEnd = _now() + p.commitDuration;
        r.openedAt = calls;
        committees[r.set].openRounds += 1;
        committees[r.set].atRisk += r.budget + r.fee;
        _escrow(id, r.budget + r.fee + r.unsealBond + 2 * KEEPER);
    }

    // ---------------------------------------------------------------- draw

    function _isDrawable(uint256 id) private view returns (bool) {
        Phase phase = _phase(id);
        return phase == Phase.Gap || phase == Phase.Reveal;
    }

    function _closeCommits(uint256 id) internal {
        Run storage r = runs[id];
        address keeper = _someone();
        bool due = _isDrawable(id) && r.beaconBlock == 0;
        if (!_try("closeCommits", keeper, abi.encodeCall(IRounds.closeCommits, (id)), due)) return;
        r.beaconBlock = height + 2;
        _pay(id, keeper, KEEPER);
    }

    function _draw(uint256 id) internal {
        Run storage r = runs[id];
        address keeper = _someone();
        uint256 at = r.beaconBlock;
        bytes32 randao = bytes32(_word());
        bytes memory header = BlockHeaders.encode(at, randao);
        bool within = at != 0 && height > at && height - at <= 256;
        if (within) vm.setBlockhash(at, keccak256(header));
        bool wrong = _oneIn(10);
        if (wrong) header = BlockHeaders.encode(at, keccak256(header));
        bool due = _isDrawable(id) && !r.drawn && at != 0 && height > at && (!wrong || !within);
        if (!_try("drawBeacon", keeper, abi.encodeCall(IRounds.drawBeacon, (id, header)), due)) return;
        if (!within) {
            r.beaconBlock = height + 2;
            return _mark("state: window passed");
        }
        r.drawn = true;
        r.index = _pick(plans[r.project], uint256(keccak256(abi.encode(randao, id))));
        _pay(id, keeper, KEEPER);
    }

    /// @dev The unused shard of rank `beacon` modulo their number, counted one by one.
    function _pick(Plan storage plan, uint256 beacon) private view returns (uint256 index) {
        uint256 rank = beacon % (plan.shards - _ones(plan.used));
        while (plan.used >> index & 1 == 1 || rank != 0) {
            if (plan.used >> index & 1 == 0) --rank;
            ++index;
        }
    }

    /// @dev In the second project every shard lies under two places.
    function _shard(uint256 projectId, uint256 place) internal pure returns (bytes32) {
        return SealedTree.shard(uint32(projectId * 1000 + (projectId == 2 ? place / 2 : place)));
    }

    function _unseal(uint256 id) internal {
        Run storage r = runs[id];
        Plan storage plan = plans[r.project];
        uint256 place = r.index;
        if (plan.shards != 0 && _oneIn(10)) place = _roll(plan.shards);
        bytes32 shard = _shard(r.project, place);
        bytes32[] memory proof = plan.shards == 0 ? new bytes32[](0) : SealedTree.proofOf(plan.leaves, place);
        address from = _mostly(r.proposer);
        bool due = from == r.proposer && r.drawn && !r.unsealed && _now() < _revealEnd(r);
        due = due && place == r.index;
        if (due && plan.seen[shard]) {
            due = false;
            _mark("state: shard reused");
        }
        bytes memory data =
            abi.encodeCall(IRounds.unseal, (id, shard, SealedTree.blinding(uint32(place)), proof));
        if (!_try("unseal", from, data, due)) return;
        r.unsealed = true;
        plan.used |= uint256(1) << place;
        plan.seen[shard] = true;
        if (_ones(plan.used) == plan.shards) _mark("state: no shards left");
        _closeReveals(id);
    }

    // ---------------------------------------------------------------- cancel

    function _cancel(uint256 id) internal {
        Run storage r = runs[id];
        bool due = _phase(id) == Phase.Cancellable;
        if (!_try("cancel", _someone(), abi.encodeCall(w.rounds.cancel, (id)), due)) return;
        if (r.commits == 0) _ended(id, CancelCause.NoCommits, "end: no commits");
        else if (r.reveals == 0) _ended(id, CancelCause.NoReveals, "end: no reveals");
        else if (!r.unsealed) _ended(id, CancelCause.NotUnsealed, "end: not unsealed");
        else _ended(id, CancelCause.Expired, "end: expired");
    }

    /// @dev Everything returns to the proposer, but equal shares of an unseal bond that it forfeited.
    function _ended(uint256 id, CancelCause cause, string memory name) internal {
        Run storage r = runs[id];
        r.cause = cause;
        uint256 shares = cause == CancelCause.NotUnsealed ? r.unsealBond / r.reveals * r.reveals : 0;
        _pay(id, r.proposer, escrows[id] - shares);
        _free(id);
        _mark(name);
    }

    function _free(uint256 id) internal {
        Run storage r = runs[id];
        disputed[id] = false;
        plans[r.project].active = 0;
        committees[r.set].openRounds -= 1;
        committees[r.set].atRisk -= r.budget + r.fee;
    }
}
