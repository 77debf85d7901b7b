// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRounds} from "../src/interfaces/IRounds.sol";
import {Phase, Standing, Verdict} from "../src/types/Enums.sol";
import {Attestation, Leaf, Recorded, Result, RoundParams, Signature} from "../src/types/Round.sol";
import {RoundView} from "../src/types/Views.sol";
import {Deployed} from "./Deployed.sol";
import {BlockHeaders} from "./BlockHeaders.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {SealedTree} from "./SealedTree.sol";
import {vm} from "./Vm.sol";

/// @dev One project with three verifiers (threshold two), four staked solvers, and the steps of a round.
abstract contract RoundTest is Deployed {
    uint32 internal constant SHARDS = 8;
    uint128 internal constant CAP = 10_000 ether;
    uint32 internal constant MAX_HOLD = 180 days;
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
    uint256 internal setId;
    uint256 internal projectId;
    uint256 internal roundId;
    Recorded internal recorded;

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
        vm.prank(PROPOSER);
        projectId = _createProject(SHARDS, setId);
        _fund(PROPOSER, 10_000 ether);
        vm.prank(PROPOSER);
        token.approve(address(rounds), type(uint256).max);
    }

    function _createProject(uint32 count, uint256 verifierSet) internal returns (uint256) {
        bytes32 root = SealedTree.root(count);
        return rounds.createProject(
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
        vm.prank(PROPOSER);
        id = rounds.createVerifierSet(members, threshold, CAP, MAX_HOLD);
        for (uint256 i = 0; i < count; ++i) {
            vm.prank(members[i]);
            rounds.join(id);
        }
    }

    // ---------------------------------------------------------------- steps

    function _params() internal view returns (RoundParams memory) {
        return RoundParams({
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
            maxSolvers: 0,
            extension: 0,
            allowList: 0
        });
    }

    function _open() internal {
        _open(_params());
    }

    function _open(RoundParams memory params) internal {
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
        return (SealedTree.shard(index), SealedTree.blinding(index));
    }

    /// @dev Closes COMMIT, lets the blocks pass and draws with the header of the fixed block.
    function _draw() internal returns (uint32 index) {
        rounds.closeCommits(roundId);
        return _drawAfter(uint256(keccak256(abi.encode("randao", roundId))));
    }

    /// @dev Draws when the fixed block had the randomness `randao`.
    function _drawAfter(uint256 randao) internal returns (uint32 index) {
        uint256 at = _round().beaconBlock;
        bytes memory header = BlockHeaders.encode(at, bytes32(randao));
        vm.roll(at + 1);
        vm.setBlockhash(at, keccak256(header));
        return rounds.drawBeacon(roundId, header);
    }

    function _unseal() internal {
        uint32 index = _draw();
        (bytes32 shard, bytes32 blinding) = _shard(index);
        uint32 count = lens.getProject(projectId).evaluationCount;
        bytes32[] memory proof = SealedTree.proof(count, index);
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
    function _record(Leaf[] memory rows, uint128 payout, int64 improvement) internal {
        Result memory result = _result(rows, payout, improvement);
        _recordAs(result, 2);
    }

    /// @dev Records with the first `count` verifiers' signatures and keeps what was recorded.
    function _recordAs(Result memory result, uint256 count) internal {
        _submit(result, _attest(result, count));
        recorded = Recorded(
            result.root,
            result.model,
            result.sheet,
            result.extension,
            result.payout,
            result.improvement,
            uint32((1 << count) - 1)
        );
    }

    function _submit(Result memory result, Attestation[] memory attestations) internal {
        rounds.recordTraining(
            result.roundId,
            result.root,
            result.model,
            result.sheet,
            result.payout,
            result.extension,
            attestations
        );
    }

    function _settle() internal {
        vm.warp(_round().challengeEnd);
        rounds.settle(roundId, recorded);
    }

    /// @dev A settled round: solver 0 earns 60, solver 1 earns 40 less the spare, solver 2 excluded, solver 3 invalid,
    /// verifiers 0 and 1 get 4 each.
    function _settled() internal returns (Leaf[] memory rows) {
        _toVerify(4);
        rows = _rows();
        _record(rows, 98 ether, 100);
        _settle();
    }

    function _rows() internal view returns (Leaf[] memory rows) {
        rows = new Leaf[](6);
        rows[0] = _row(solvers[0], Verdict.Accepted, 60 ether);
        rows[1] = _row(solvers[1], Verdict.Accepted, 30 ether);
        rows[2] = _row(solvers[2], Verdict.Excluded, 0);
        rows[3] = _row(solvers[3], Verdict.Invalid, 0);
        rows[4] = _row(verifiers[0], Verdict.Fee, 4 ether);
        rows[5] = _row(verifiers[1], Verdict.Fee, 4 ether);
    }

    // ---------------------------------------------------------------- signed results

    function _row(address account, Verdict verdict, uint128 amount) internal pure returns (Leaf memory) {
        return Leaf(account, _digest(account), verdict, 7, amount);
    }

    function _hashes(Leaf[] memory rows) internal view returns (bytes32[] memory hashes) {
        hashes = new bytes32[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            hashes[i] = _hash(rows[i]);
        }
    }

    function _hash(Leaf memory row) internal view returns (bytes32) {
        return keccak256(
            bytes.concat(
                keccak256(
                    abi.encode(roundId, row.account, row.digest, uint8(row.verdict), row.gain, row.amount)
                )
            )
        );
    }

    function _proof(Leaf[] memory rows, uint256 index) internal view returns (bytes32[] memory) {
        return MerkleTree.proof(_hashes(rows), _hash(rows[index]));
    }

    function _result(Leaf[] memory rows, uint128 payout, int64 improvement)
        internal
        view
        returns (Result memory)
    {
        return Result({
            roundId: roundId,
            root: MerkleTree.root(_hashes(rows)),
            model: improvement > 0 ? MODEL : BASE,
            sheet: SHEET,
            payout: payout,
            improvement: improvement,
            extension: 0
        });
    }

    /// @dev Attestations of the first `count` verifiers, all with the result's improvement.
    function _attest(Result memory result, uint256 count)
        internal
        view
        returns (Attestation[] memory attestations)
    {
        attestations = new Attestation[](count);
        for (uint256 i = 0; i < count; ++i) {
            attestations[i] = _attestation(keys[i], result);
        }
    }

    function _attestation(uint256 key, Result memory result) internal view returns (Attestation memory) {
        Signature memory signature = _sign(key, result);
        return Attestation(result.improvement, signature.r, signature.vs);
    }

    function _sign(uint256 key, Result memory result) internal view returns (Signature memory) {
        return _compact(key, lens.hashResult(result));
    }

    function _compact(uint256 key, bytes32 hash) internal pure returns (Signature memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return Signature(r, bytes32(uint256(s) | uint256(v - 27) << 255));
    }

    // ---------------------------------------------------------------- reading

    function _round() internal view returns (RoundView memory) {
        return lens.getRound(roundId);
    }

    function _assertPhase(Phase expected) internal view {
        vm.assertEq(uint256(lens.phase(roundId)), uint256(expected), "phase");
    }

    function _standing(address account) internal view returns (Standing standing) {
        (, standing) = lens.commitmentOf(roundId, account);
    }

    function _assertStanding(address account, Standing expected) internal view {
        vm.assertEq(uint256(_standing(account)), uint256(expected), "standing");
    }

    function _free(address account) internal view returns (uint256) {
        return lens.accountOf(account).free;
    }

    function _locked(address account) internal view returns (uint256) {
        return lens.accountOf(account).locked;
    }

    function _expect(bytes4 selector) internal {
        vm.expectPartialRevert(selector);
    }

    function _expectWrongPhase(Phase phase) internal {
        vm.expectRevert(abi.encodeWithSelector(IRounds.WrongPhase.selector, roundId, phase));
    }
}
