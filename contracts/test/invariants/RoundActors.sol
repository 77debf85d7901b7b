// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierSets} from "../../src/interfaces/IVerifierSets.sol";
import {SealedTree} from "../SealedTree.sol";
import {vm} from "../Vm.sol";
import {Guide} from "./Guide.sol";
import {Committee, Plan, Wiring} from "./Model.sol";

/// @dev Two sets that share two verifiers, four projects, five solvers of whom one is a verifier of the other set.
contract RoundActors is Guide {
    constructor(Wiring memory wiring) {
        w = wiring;
        treasury = wiring.treasury;
        accounts.push(treasury);
        for (uint256 i = 0; i < 2; ++i) {
            proposers[i] = vm.addr(_key("proposer", i));
            accounts.push(proposers[i]);
        }
        accounts.push(vm.addr(_key("reporter", 0)));
        for (uint256 i = 0; i < 4; ++i) {
            _addVerifier(_key("verifier", i));
        }
        for (uint256 i = 0; i < 4; ++i) {
            accounts.push(verifiers[i]);
            solverKeys[verifiers[i]] = verifierKeys[i];
            _addSolver(_key("solver", i));
            if (i < 3) listHashes.push(_listHash(solvers[i]));
        }
        solvers.push(verifiers[3]);
    }

    function _key(string memory role, uint256 index) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(role, index)));
    }

    /// @dev In ascending order of their addresses.
    function _addVerifier(uint256 key) private {
        verifiers.push(vm.addr(key));
        verifierKeys.push(key);
        for (uint256 i = verifiers.length - 1; i > 0 && verifiers[i - 1] > verifiers[i]; --i) {
            (verifiers[i - 1], verifiers[i]) = (verifiers[i], verifiers[i - 1]);
            (verifierKeys[i - 1], verifierKeys[i]) = (verifierKeys[i], verifierKeys[i - 1]);
        }
    }

    function _addSolver(uint256 key) private {
        address solver = vm.addr(key);
        solvers.push(solver);
        accounts.push(solver);
        solverKeys[solver] = key;
    }

    /// @dev Called once the handler holds tokens.
    function begin() external {
        for (uint256 i = 0; i < accounts.length; ++i) {
            require(w.token.transfer(accounts[i], 1_000_000 ether), "transfer");
            vm.prank(accounts[i]);
            w.token.approve(address(w.rounds), type(uint256).max);
        }
        for (uint256 i = 0; i < 4; ++i) {
            _depositFor(verifiers[i], verifiers[i], 1200 ether);
            _depositFor(solvers[i], solvers[i], 300 ether);
        }
        _createSet(1, proposers[0], 0);
        _createSet(2, proposers[1], 1);
        vm.prank(proposers[0]);
        w.rounds.admit(1, proposers[1], true);
        _createProject(1, proposers[0], 1, 24);
        _createProject(2, proposers[1], 1, 40);
        _createProject(3, proposers[1], 2, 200);
        _createProject(4, proposers[0], 1, 2);
    }

    function _createSet(uint256 setId, address curator, uint256 first) private {
        Committee storage set = committees[setId];
        (set.curator, set.cap) = (curator, 1500 ether);
        for (uint256 i = 0; i < 3; ++i) {
            set.members.push(verifiers[first + i]);
            set.keys.push(verifierKeys[first + i]);
        }
        vm.prank(curator);
        w.rounds.createVerifierSet(set.members, 2, uint128(set.cap), uint32(MAX_HOLD));
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory data = abi.encodeCall(IVerifierSets.join, (setId));
            if (_try("join", set.members[i], data, true)) _joined(set, set.members[i]);
        }
    }

    function _createProject(uint256 projectId, address owner, uint256 setId, uint32 shards) private {
        Plan storage plan = plans[projectId];
        (plan.owner, plan.set, plan.shards, plan.model) = (owner, setId, shards, "base");
        for (uint32 i = 0; i < shards; ++i) {
            plan.leaves.push(keccak256(abi.encode(i, _shard(projectId, i), SealedTree.blinding(i))));
        }
        bytes32 root = SealedTree.rootOf(plan.leaves);
        vm.prank(owner);
        w.rounds.createProject("recipe", "dataset", "base", root, shards, setId, 0);
    }

    // ---------------------------------------------------------------- what the fuzzer calls

    /// @notice Mostly what the phase of some round asks for: random calls alone never reach a claim.
    function step(uint256 seed) public {
        _seed(seed);
        uint256 kind = _roll(20);
        if (kind == 0) return _restore();
        if (kind < 3) return _stakes();
        uint256 id = _oneIn(2) ? _first() : plans[1 + _roll(PROJECTS)].active;
        // Claims go on behind the rounds that are open.
        if (kind < 8 && roundCount != 0) {
            uint256 recent = roundCount < 12 || _oneIn(3) ? roundCount : 12;
            id = roundCount - _roll(recent);
        }
        if (id == 0 && !_oneIn(3)) id = _first();
        if (id == 0) return _restore();
        _next(id);
    }

    /// @dev Other names for the same thing, because the fuzzer picks every function equally often.
    function stepAgain(uint256 seed) external {
        step(seed);
    }

    function stepFurther(uint256 seed) external {
        step(seed);
    }

    function stepOn(uint256 seed) external {
        step(seed);
    }

    /// @notice Anything about any round, whether it is due or not; of the rounds that do not exist, the next one.
    function anything(uint256 seed) external {
        _seed(seed);
        _about(1 + _roll(roundCount + 1), _roll(22));
    }

    function stakes(uint256 seed) external {
        _seed(seed);
        _stakes();
    }
}
