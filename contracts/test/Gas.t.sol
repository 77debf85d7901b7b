// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Verdict} from "../src/types/Enums.sol";
import {
    Leaf,
    Opening,
    ProvenLeaf,
    Result,
    RoundParams,
    SignedCommit,
    Signature
} from "../src/types/Round.sol";
import {BlockHeaders} from "./BlockHeaders.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {RoundTest} from "./RoundTest.sol";
import {SealedTree} from "./SealedTree.sol";
import {vm} from "./Vm.sol";

/// @dev What transactions cost, intrinsic gas included, in rounds of many solvers:
/// `JEPANET_BYTECODE=release forge test --isolate --match-contract GasTest -vv`.
contract GasTest is RoundTest {
    uint256 private constant MANY = 40;

    event log_named_uint(string key, uint256 value);

    uint256[] internal solverKeys;

    function setUp() public override {
        super.setUp();
        delete solvers;
        for (uint256 i = 0; i < MANY; ++i) {
            uint256 key = _key(string.concat("many ", vm.toString(i)));
            solverKeys.push(key);
            solvers.push(vm.addr(key));
            _stake(solvers[i], SOLVER_STAKE);
        }
        vm.prank(PROPOSER);
        projectId = _createProject(256, setId);
    }

    function _cost(string memory call_) private {
        emit log_named_uint(call_, vm.lastCallGas().gasTotalUsed);
    }

    function _openCosted(string memory name) private {
        RoundParams memory params = _params();
        vm.prank(PROPOSER);
        roundId = rounds.openRound(params);
        _cost(name);
    }

    function _beacon() private {
        vm.warp(_round().revealStart);
        rounds.closeCommits(roundId);
        _cost("closeCommits");
        uint256 at = _round().beaconBlock;
        bytes memory header = BlockHeaders.encode(at, keccak256(abi.encode(roundId)));
        vm.roll(at + 1);
        vm.setBlockhash(at, keccak256(header));
        uint32 index = rounds.drawBeacon(roundId, header);
        _cost("drawBeacon");
        (bytes32 shard, bytes32 blinding) = _shard(index);
        bytes32[] memory proof = SealedTree.proof(256, index);
        vm.prank(PROPOSER);
        rounds.unseal(roundId, shard, blinding, proof);
        _cost("unseal");
    }

    function _finish(bool batched) private {
        Leaf[] memory rows = new Leaf[](MANY + 3);
        for (uint256 i = 0; i < MANY; ++i) {
            rows[i] = _row(solvers[i], Verdict.Accepted, 2 ether);
        }
        for (uint256 i = 0; i < 3; ++i) {
            rows[MANY + i] = _row(verifiers[i], Verdict.Fee, 3 ether);
        }
        Result memory result = _result(rows, 89 ether, 100);
        result.model = keccak256(abi.encode("model of", roundId));
        _recordAs(result, 3);
        _cost("recordTraining (k=3)");
        vm.warp(_round().challengeEnd);
        rounds.settle(roundId, recorded);
        _cost("settle");
        bytes32[] memory hashes = _hashes(rows);
        if (batched) {
            ProvenLeaf[] memory leaves = new ProvenLeaf[](MANY);
            for (uint256 i = 0; i < MANY; ++i) {
                leaves[i] = ProvenLeaf(rows[i], MerkleTree.proof(hashes, hashes[i]));
            }
            rounds.claimMany(roundId, leaves);
            emit log_named_uint("claimMany, each", vm.lastCallGas().gasTotalUsed / MANY);
        } else {
            for (uint256 i = 0; i < MANY; ++i) {
                bytes32[] memory proof = MerkleTree.proof(hashes, hashes[i]);
                vm.prank(solvers[i]);
                rounds.claim(roundId, rows[i], proof);
                if (i == 7) _cost("claim");
            }
        }
        rounds.claim(roundId, rows[MANY], MerkleTree.proof(hashes, hashes[MANY]));
        _cost("claim (fee)");
    }

    function test_single() public {
        for (uint256 n = 0; n < 9; ++n) {
            bool shown = n == 0 || n == 8;
            if (shown) _openCosted(n == 0 ? "openRound, first" : "openRound");
            else _open();
            for (uint256 i = 0; i < MANY; ++i) {
                bytes32 commitment = _commitment(solvers[i]);
                vm.prank(solvers[i]);
                rounds.commit(roundId, commitment);
                if (i == 7 && shown) _cost(n == 0 ? "commit, first time" : "commit");
                if (n != 0 && n != 8) break;
            }
            if (shown) {
                _beacon();
                for (uint256 i = 0; i < MANY; ++i) {
                    _reveal(solvers[i]);
                    if (i == 7) _cost("reveal");
                }
                _finish(false);
            } else {
                vm.warp(_round().revealEnd);
                rounds.cancel(roundId);
                rounds.slashNonReveal(roundId, solvers[0]);
            }
        }
        vm.prank(solvers[1]);
        rounds.withdraw(1 ether, solvers[1]);
        _cost("withdraw");
    }

    function test_batches() public {
        for (uint256 n = 0; n < 9; ++n) {
            _open();
            if (n != 0 && n != 8) {
                vm.warp(_round().commitEnd);
                rounds.cancel(roundId);
                continue;
            }
            SignedCommit[] memory commits = new SignedCommit[](MANY);
            for (uint256 i = 0; i < MANY; ++i) {
                bytes32 commitment = _commitment(solvers[i]);
                Signature memory s = _compact(solverKeys[i], lens.hashCommit(roundId, commitment));
                commits[i] = SignedCommit(solvers[i], commitment, s.r, s.vs);
            }
            rounds.commitMany(roundId, commits);
            emit log_named_uint("commitMany, each", vm.lastCallGas().gasTotalUsed / MANY);
            vm.assertEq(_round().commits, MANY, "all committed");
            vm.warp(_round().revealStart);
            Opening[] memory openings = new Opening[](MANY);
            for (uint256 i = 0; i < MANY; ++i) {
                openings[i] = Opening(solvers[i], _digest(solvers[i]), _salt(solvers[i]));
            }
            rounds.revealMany(roundId, openings);
            emit log_named_uint("revealMany, each", vm.lastCallGas().gasTotalUsed / MANY);
            _beacon();
            _finish(true);
        }
    }
}
