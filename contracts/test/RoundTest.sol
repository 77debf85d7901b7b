// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {Deployed} from "./Deployed.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {vm} from "./Vm.sol";

/// @dev One project with three verifiers (threshold two), four staked solvers, and the steps of a round.
abstract contract RoundTest is Deployed {
    uint32 internal constant SHARDS = 8;
    uint256 internal constant SOLVERS = 4;
    uint256 internal constant SOLVER_STAKE = 50 ether;
    bytes32 internal constant BASE = keccak256("base model");
    bytes32 internal constant MODEL = keccak256("merged model");
    bytes32 internal constant SHEET = keccak256("sheet");
    bytes32 internal constant SPEC = keccak256("spec");

    address internal immutable PROPOSER = _actor("proposer");
    address internal immutable STRANGER = _actor("stranger");
    address internal immutable CHALLENGER = _actor("challenger");

    uint256[] internal keys;
    address[] internal verifiers;
    address[] internal solvers;
    bytes32[] internal shardLeaves;
    uint256 internal setId;
    uint256 internal projectId;
    uint256 internal roundId;

    function setUp() public virtual {
        _deploy();
        _prepare();
    }

    function _prepare() internal {
        (setId, keys, verifiers) = _createSet(3, 2);
        for (uint256 i = 0; i < verifiers.length; ++i) {
            _stake(verifiers[i], VERIFIER_STAKE);
        }
        for (uint256 i = 0; i < SOLVERS; ++i) {
            solvers.push(_actor(string.concat("solver ", vm.toString(i))));
            _stake(solvers[i], SOLVER_STAKE);
        }
        _stake(CHALLENGER, 100 ether);
        for (uint32 i = 0; i < SHARDS; ++i) {
            (bytes32 shard, bytes32 blinding) = _shard(i);
            shardLeaves.push(keccak256(abi.encode(i, shard, blinding)));
        }
        vm.prank(PROPOSER);
        projectId = _createProject(SHARDS, setId);
        _fund(PROPOSER, 10_000 ether);
        vm.prank(PROPOSER);
        token.approve(address(rounds), type(uint256).max);
    }

    function _createProject(uint32 count, uint256 verifierSet) internal returns (uint256) {
        bytes32 root = MerkleTree.root(shardLeaves);
        return registry.createProject(
            keccak256("recipe"), keccak256("dataset"), BASE, root, count, verifierSet, keccak256("metadata")
        );
    }

    /// @dev A joined set of `count` members in ascending order, with their keys.
    function _createSet(uint256 count, uint32 threshold)
        internal
        returns (uint256 id, uint256[] memory memberKeys, address[] memory members)
    {
        memberKeys = new uint256[](count);
        members = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 key = _key(string.concat("verifier ", vm.toString(i)));
            uint256 place = i;
            for (; place > 0 && members[place - 1] > vm.addr(key); --place) {
                (members[place], memberKeys[place]) = (members[place - 1], memberKeys[place - 1]);
            }
            (members[place], memberKeys[place]) = (vm.addr(key), key);
        }
        id = sets.createVerifierSet(members, threshold);
        for (uint256 i = 0; i < count; ++i) {
            vm.prank(members[i]);
            sets.join(id);
        }
    }

    // ---------------------------------------------------------------- steps

    function _params() internal view returns (ITrainingRounds.RoundParams memory) {
        return ITrainingRounds.RoundParams({
            projectId: projectId,
            spec: SPEC,
            budget: 100 ether,
            fee: 9 ether,
            bond: 5 ether,
            unsealBond: 20 ether,
            commitDuration: 1 hours,
            gap: 60,
            revealDuration: 1 hours,
            verifyDuration: 2 hours,
            challengeDuration: 1 days,
            maxSolvers: 0
        });
    }

    function _open() internal {
        _open(_params());
    }

    function _open(ITrainingRounds.RoundParams memory params) internal {
        vm.prank(PROPOSER);
        roundId = rounds.openRound(params);
    }

    function _digest(address solver) internal pure returns (bytes32) {
        return keccak256(abi.encode("delta", solver));
    }

    function _salt(address solver) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", solver));
    }

    function _commitment(address solver) internal view returns (bytes32) {
        return keccak256(
            abi.encode(block.chainid, address(rounds), roundId, solver, _digest(solver), _salt(solver))
        );
    }

    function _commit(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            bytes32 commitment = _commitment(solvers[i]);
            vm.prank(solvers[i]);
            rounds.commit(roundId, commitment);
        }
    }

    function _toReveal() internal {
        vm.warp(_round().revealStart);
    }

    function _reveal(address solver) internal {
        vm.prank(solver);
        rounds.reveal(roundId, _digest(solver), _salt(solver));
    }

    function _revealAll(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            _reveal(solvers[i]);
        }
    }

    function _shard(uint32 index) internal pure returns (bytes32 shard, bytes32 blinding) {
        return (keccak256(abi.encode("shard", index)), keccak256(abi.encode("blinding", index)));
    }

    function _unseal() internal {
        uint32 index = rounds.drawBeacon(roundId);
        (bytes32 shard, bytes32 blinding) = _shard(index);
        bytes32[] memory proof = MerkleTree.proof(shardLeaves, shardLeaves[index]);
        vm.prank(PROPOSER);
        rounds.unseal(roundId, shard, blinding, proof);
    }

    /// @dev Opens a round and takes it to VERIFY with `count` revealed deltas.
    function _toVerify(uint256 count) internal {
        _open();
        _commit(count);
        _toReveal();
        _unseal();
        _revealAll(count);
    }

    /// @dev ... and to CHALLENGE with a result over `rows`, signed by the first `threshold` verifiers.
    function _record(ITrainingRounds.Leaf[] memory rows, uint128 payout, int64 improvement) internal {
        ITrainingRounds.Result memory result = _result(rows, payout, improvement);
        rounds.recordTraining(roundId, result.root, result.model, result.sheet, payout, _attest(result, 2));
    }

    function _settle() internal {
        vm.warp(_round().challengeEnd);
        rounds.settle(roundId);
    }

    /// @dev A settled round: solver 0 earns 60, solver 1 earns 40 less the spare, solver 2 excluded, solver 3 invalid,
    /// verifiers 0 and 1 get 4 each.
    function _settled() internal returns (ITrainingRounds.Leaf[] memory rows) {
        _toVerify(4);
        rows = _rows();
        _record(rows, 98 ether, 100);
        _settle();
    }

    function _rows() internal view returns (ITrainingRounds.Leaf[] memory rows) {
        rows = new ITrainingRounds.Leaf[](6);
        rows[0] = _row(solvers[0], ITrainingRounds.Verdict.Accepted, 60 ether);
        rows[1] = _row(solvers[1], ITrainingRounds.Verdict.Accepted, 30 ether);
        rows[2] = _row(solvers[2], ITrainingRounds.Verdict.Excluded, 0);
        rows[3] = _row(solvers[3], ITrainingRounds.Verdict.Invalid, 0);
        rows[4] = _row(verifiers[0], ITrainingRounds.Verdict.Fee, 4 ether);
        rows[5] = _row(verifiers[1], ITrainingRounds.Verdict.Fee, 4 ether);
    }

    // ---------------------------------------------------------------- signed results

    function _row(address account, ITrainingRounds.Verdict verdict, uint128 amount)
        internal
        pure
        returns (ITrainingRounds.Leaf memory)
    {
        return ITrainingRounds.Leaf(account, _digest(account), verdict, 7, amount);
    }

    function _hashes(ITrainingRounds.Leaf[] memory rows) internal view returns (bytes32[] memory hashes) {
        hashes = new bytes32[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            hashes[i] = _hash(rows[i]);
        }
    }

    function _hash(ITrainingRounds.Leaf memory row) internal view returns (bytes32) {
        return keccak256(
            bytes.concat(
                keccak256(
                    abi.encode(roundId, row.account, row.digest, uint8(row.verdict), row.gain, row.amount)
                )
            )
        );
    }

    function _proof(ITrainingRounds.Leaf[] memory rows, uint256 index)
        internal
        view
        returns (bytes32[] memory)
    {
        return MerkleTree.proof(_hashes(rows), _hash(rows[index]));
    }

    function _result(ITrainingRounds.Leaf[] memory rows, uint128 payout, int64 improvement)
        internal
        view
        returns (ITrainingRounds.Result memory)
    {
        return ITrainingRounds.Result({
            roundId: roundId,
            root: MerkleTree.root(_hashes(rows)),
            model: improvement > 0 ? MODEL : BASE,
            sheet: SHEET,
            payout: payout,
            improvement: improvement
        });
    }

    /// @dev Attestations of the first `count` verifiers, all with the result's improvement.
    function _attest(ITrainingRounds.Result memory result, uint256 count)
        internal
        view
        returns (ITrainingRounds.Attestation[] memory attestations)
    {
        attestations = new ITrainingRounds.Attestation[](count);
        for (uint256 i = 0; i < count; ++i) {
            attestations[i] = ITrainingRounds.Attestation(result.improvement, _sign(keys[i], result));
        }
    }

    function _sign(uint256 key, ITrainingRounds.Result memory result) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, rounds.hashResult(result));
        return abi.encodePacked(r, s, v);
    }

    // ---------------------------------------------------------------- reading

    function _round() internal view returns (ITrainingRounds.Round memory) {
        return rounds.getRound(roundId);
    }

    function _assertPhase(ITrainingRounds.Phase expected) internal view {
        vm.assertEq(uint256(rounds.phase(roundId)), uint256(expected), "phase");
    }

    function _standing(address account) internal view returns (ITrainingRounds.Standing) {
        (, uint8 standing) = rounds.commitmentOf(roundId, account);
        return ITrainingRounds.Standing(standing);
    }

    function _assertStanding(address account, ITrainingRounds.Standing expected) internal view {
        vm.assertEq(uint256(_standing(account)), uint256(expected), "standing");
    }

    function _free(address account) internal view returns (uint256) {
        return vault.accountOf(account).free;
    }

    function _locked(address account) internal view returns (uint256) {
        return vault.accountOf(account).locked;
    }

    function _expect(bytes4 selector) internal {
        vm.expectPartialRevert(selector);
    }

    function _expectWrongPhase(ITrainingRounds.Phase phase) internal {
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.WrongPhase.selector, roundId, phase));
    }
}
