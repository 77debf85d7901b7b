// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IProjectRegistry} from "../src/interfaces/IProjectRegistry.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {IVerifierSets} from "../src/interfaces/IVerifierSets.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {vm} from "./Vm.sol";

/// @dev Drives two projects through every path with calls that are always due, so that a revert is a finding. The quorum is
/// hostile: amounts in its rows have nothing to do with the payout it signs, and it calls whomever it likes invalid.
contract RoundActors {
    struct Wiring {
        IERC20 token;
        IStakeVault vault;
        IVerifierSets sets;
        IProjectRegistry registry;
        ITrainingRounds rounds;
        address arbiter;
        address owner;
        address treasury;
    }

    uint256 internal constant PROJECTS = 2;
    uint256 internal constant VERIFIERS = 3;
    uint256 internal constant SOLVERS = 5;
    uint32 internal constant SHARDS = 256;
    bytes32 internal constant EVALUATION_LABEL = keccak256("the only shard content");

    Wiring internal w;
    bool internal paused;

    address public immutable PROPOSER = vm.addr(uint256(keccak256("proposer")));
    address public immutable REPORTER = vm.addr(uint256(keccak256("reporter")));

    uint256[] internal keys;
    /// @notice Everybody who can hold stake or credit.
    address[] public accounts;
    address[] internal verifiers;
    address[] internal solvers;
    uint256[] internal projects;

    uint256[] public roundIds;
    mapping(uint256 roundId => ITrainingRounds.Leaf[]) internal rows;
    mapping(uint256 roundId => uint256) public paidOut;
    mapping(uint256 roundId => uint256) public sharesPaid;
    mapping(uint256 roundId => bool) internal equivocated;
    mapping(uint256 roundId => bool) internal openChallenge;

    /// @notice How often each path was really taken.
    mapping(bytes32 path => uint256) public taken;

    modifier counted(bytes32 path) {
        uint256 mark = taken["skipped"];
        _;
        if (taken["skipped"] == mark) taken[path] += 1;
    }

    constructor(Wiring memory wiring) {
        w = wiring;
        accounts.push(PROPOSER);
        accounts.push(REPORTER);
        accounts.push(wiring.treasury);
        for (uint256 i = 0; i < VERIFIERS; ++i) {
            uint256 key = uint256(keccak256(abi.encode("verifier", i)));
            uint256 place = verifiers.length;
            verifiers.push(vm.addr(key));
            keys.push(key);
            for (; place > 0 && verifiers[place - 1] > verifiers[place]; --place) {
                (verifiers[place - 1], verifiers[place]) = (verifiers[place], verifiers[place - 1]);
                (keys[place - 1], keys[place]) = (keys[place], keys[place - 1]);
            }
        }
        for (uint256 i = 0; i < VERIFIERS; ++i) {
            accounts.push(verifiers[i]);
        }
        for (uint256 i = 0; i < SOLVERS; ++i) {
            solvers.push(vm.addr(uint256(keccak256(abi.encode("solver", i)))));
            accounts.push(solvers[i]);
        }
    }

    /// @dev Called once the handler holds tokens.
    function begin() external {
        uint256 setId = w.sets.createVerifierSet(verifiers, 2);
        for (uint256 i = 0; i < VERIFIERS; ++i) {
            vm.prank(verifiers[i]);
            w.sets.join(setId);
        }
        for (uint256 i = 0; i < accounts.length; ++i) {
            require(w.token.transfer(accounts[i], 1_000_000 ether), "transfer");
            vm.startPrank(accounts[i]);
            w.token.approve(address(w.vault), type(uint256).max);
            w.token.approve(address(w.rounds), type(uint256).max);
            w.vault.deposit(5000 ether);
            vm.stopPrank();
        }
        bytes32 root = _shardTree();
        for (uint256 i = 0; i < PROJECTS; ++i) {
            vm.prank(PROPOSER);
            projects.push(w.registry.createProject("r", "d", "m", root, SHARDS, setId, 0));
        }
    }

    // ---------------------------------------------------------------- stake

    function deposit(uint256 who, uint256 amount) public counted("deposit") {
        if (paused) return _skip();
        vm.prank(accounts[who % accounts.length]);
        w.vault.deposit(_bound(amount, 1, 1000 ether));
    }

    function requestUnbond(uint256 who, uint256 amount) public counted("requestUnbond") {
        address account = accounts[who % accounts.length];
        uint256 free = w.vault.accountOf(account).free;
        (uint128[] memory requests,) = w.vault.unbondRequestsOf(account);
        if (free == 0 || requests.length == 16) return _skip();
        vm.prank(account);
        w.vault.requestUnbond(_bound(amount, 1, free));
    }

    function withdrawUnbonded(uint256 who) public counted("withdrawUnbonded") {
        address account = accounts[who % accounts.length];
        IStakeVault.Account memory held = w.vault.accountOf(account);
        uint256 time = vm.getBlockTimestamp();
        bool tooEarly = held.unbonding == 0 || held.unbondAt > time;
        bool stuck = time < held.heldUntil && held.free + held.unbonding <= w.vault.minimumVerifierStake();
        if (tooEarly || stuck) return _skip();
        vm.prank(account);
        w.vault.withdrawUnbonded();
    }

    function withdrawCredit(uint256 who) public counted("withdrawCredit") {
        address account = accounts[who % accounts.length];
        if (w.rounds.creditOf(account) == 0) return _skip();
        vm.prank(account);
        w.rounds.withdrawCredit();
    }

    function pauseOrNot(uint256 dice) public counted("pause") {
        // Mostly running: a paused system reaches nothing new.
        if (!paused && dice % 8 != 0) return _skip();
        vm.prank(w.owner);
        if (paused) w.rounds.unpause();
        else w.rounds.pause();
        paused = !paused;
    }

    // ---------------------------------------------------------------- a round, step by step

    function open(uint256 seed) public counted("open") {
        uint256 projectId = projects[seed % PROJECTS];
        if (paused || w.registry.getProject(projectId).activeRound != 0) return _skip();
        uint256 minimum = w.vault.minimumVerifierStake();
        for (uint256 i = 0; i < VERIFIERS; ++i) {
            if (w.vault.accountOf(verifiers[i]).free >= minimum) continue;
            vm.prank(verifiers[i]);
            w.vault.deposit(minimum);
        }
        vm.prank(PROPOSER);
        uint256 roundId = w.rounds
            .openRound(
                ITrainingRounds.RoundParams({
                    projectId: projectId,
                    spec: keccak256(abi.encode(seed)),
                    budget: uint128(_bound(seed >> 8, 1 ether, 1000 ether)),
                    fee: uint128(_bound(seed >> 16, 0, 30 ether)),
                    bond: uint128(_bound(seed >> 24, 1 ether, 20 ether)),
                    unsealBond: uint128(_bound(seed >> 32, 1 ether, 50 ether)),
                    commitDuration: 1 hours,
                    gap: 60,
                    revealDuration: 1 hours,
                    verifyDuration: 1 hours,
                    challengeDuration: 1 days,
                    maxSolvers: seed % 3 == 0 ? uint32(2) : uint32(0)
                })
            );
        roundIds.push(roundId);
    }

    function commit(uint256 pick, uint256 who) public counted("commit") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Commit);
        address solver = solvers[who % SOLVERS];
        if (paused || !found || _standing(roundId, solver) != ITrainingRounds.Standing.None) return _skip();
        if (w.vault.accountOf(solver).free < w.rounds.getRound(roundId).bond) return _skip();
        bytes32 commitment = keccak256(
            abi.encode(block.chainid, address(w.rounds), roundId, solver, _digest(solver), _digest(solver))
        );
        vm.prank(solver);
        w.rounds.commit(roundId, commitment);
        if (w.rounds.phase(roundId) == ITrainingRounds.Phase.Gap) taken["closed early"] += 1;
    }

    function draw(uint256 pick) public counted("draw") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Gap);
        if (!found) (roundId, found) = _find(pick, ITrainingRounds.Phase.Reveal);
        ITrainingRounds.Round memory round = w.rounds.getRound(roundId);
        if (!found || round.beaconDrawn || vm.getBlockTimestamp() <= round.commitEnd) return _skip();
        w.rounds.drawBeacon(roundId);
    }

    function unseal(uint256 pick) public counted("unseal") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Reveal);
        if (!found) (roundId, found) = _find(pick, ITrainingRounds.Phase.Gap);
        ITrainingRounds.Round memory round = w.rounds.getRound(roundId);
        if (!found || !round.beaconDrawn || round.unsealed) return _skip();
        (bytes32 shard, bytes32 blinding, bytes32[] memory proof) = _opening(round.evaluationIndex);
        vm.prank(PROPOSER);
        w.rounds.unseal(roundId, shard, blinding, proof);
    }

    function reveal(uint256 pick, uint256 who) public counted("reveal") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Reveal);
        if (!found) return _skip();
        for (uint256 i = 0; i < SOLVERS; ++i) {
            address solver = solvers[(who % SOLVERS + i) % SOLVERS];
            if (_standing(roundId, solver) != ITrainingRounds.Standing.Committed) continue;
            vm.prank(solver);
            return w.rounds.reveal(roundId, _digest(solver), _digest(solver));
        }
        _skip();
    }

    function record(uint256 pick, uint256 seed) public counted("record") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Verify);
        if (!found || equivocated[roundId]) return _skip();
        ITrainingRounds.Round memory round = w.rounds.getRound(roundId);
        for (uint256 i = 0; i < SOLVERS; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            ITrainingRounds.Verdict verdict = ITrainingRounds.Verdict(1 + dice % 3);
            uint256 amount = verdict == ITrainingRounds.Verdict.Accepted ? (dice >> 8) % (600 ether) : 0;
            rows[roundId].push(
                ITrainingRounds.Leaf(solvers[i], _digest(solvers[i]), verdict, 1, uint128(amount))
            );
        }
        for (uint256 i = 0; i < VERIFIERS; ++i) {
            uint256 amount = uint256(keccak256(abi.encode(seed, "fee", i))) % (40 ether);
            rows[roundId].push(
                ITrainingRounds.Leaf(verifiers[i], 0, ITrainingRounds.Verdict.Fee, 0, uint128(amount))
            );
        }
        bool improved = seed % 4 != 0;
        uint256 limit = improved ? round.budget + round.fee : round.fee;
        ITrainingRounds.Result memory result = ITrainingRounds.Result({
            roundId: roundId,
            root: MerkleTree.root(_hashes(roundId)),
            model: improved ? keccak256(abi.encode("model", roundId)) : round.base,
            sheet: "sheet",
            payout: uint128(_bound(seed >> 8, 0, limit)),
            improvement: improved ? int64(5) : int64(-5)
        });
        uint256 first = seed >> 3 & 1;
        ITrainingRounds.Attestation[] memory attestations = new ITrainingRounds.Attestation[](2);
        for (uint256 i = 0; i < 2; ++i) {
            attestations[i] = ITrainingRounds.Attestation(result.improvement, _sign(keys[first + i], result));
        }
        w.rounds.recordTraining(roundId, result.root, result.model, result.sheet, result.payout, attestations);
        if (!improved) taken["no improvement"] += 1;
    }

    function challenge(uint256 pick, uint256 who) public counted("challenge") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Challenge);
        address challenger = solvers[who % SOLVERS];
        if (!found || w.vault.accountOf(challenger).free < w.rounds.challengeBondOf(roundId)) return _skip();
        vm.prank(challenger);
        w.rounds.challenge(roundId, "evidence");
        openChallenge[roundId] = true;
    }

    function resolve(uint256 pick, bool overturn)
        public
        counted(overturn ? bytes32("overturn") : bytes32("reject"))
    {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Disputed);
        if (!found) return _skip();
        vm.prank(w.arbiter);
        w.rounds.resolve(roundId, overturn);
        openChallenge[roundId] = false;
    }

    // ---------------------------------------------------------------- ends

    function settle(uint256 pick) public counted("settle") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Settleable);
        if (!found) return _skip();
        w.rounds.settle(roundId);
        if (openChallenge[roundId]) taken["arbiter silent"] += 1;
        openChallenge[roundId] = false;
    }

    function cancel(uint256 pick) public {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Cancellable);
        if (!found) return;
        w.rounds.cancel(roundId);
        uint8 cause = w.rounds.getRound(roundId).cause;
        taken[bytes32(abi.encodePacked("cancel ", vm.toString(cause)))] += 1;
    }

    function claim(uint256 pick, uint256 which) public counted("claim") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Settled);
        if (!found || vm.getBlockTimestamp() >= w.rounds.getRound(roundId).claimEnd) return _skip();
        uint256 count = rows[roundId].length;
        for (uint256 i = 0; i < count; ++i) {
            uint256 place = (which % count + i) % count;
            ITrainingRounds.Leaf memory row = rows[roundId][place];
            bool fee = row.verdict == ITrainingRounds.Verdict.Fee;
            ITrainingRounds.Standing needed =
                fee ? ITrainingRounds.Standing.Verifier : ITrainingRounds.Standing.Revealed;
            if (row.verdict == ITrainingRounds.Verdict.Invalid || _standing(roundId, row.account) != needed) {
                continue;
            }
            uint256 before = w.rounds.creditOf(row.account);
            w.rounds.claim(roundId, row, MerkleTree.proof(_hashes(roundId), _hash(roundId, row)));
            uint256 amount = w.rounds.creditOf(row.account) - before;
            paidOut[roundId] += amount;
            if (fee) taken["fee claim"] += 1;
            if (amount != row.amount) taken["claim cut short"] += 1;
            return;
        }
        _skip();
    }

    function slashInvalid(uint256 pick) public counted("slashInvalid") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Settled);
        if (!found) return _skip();
        for (uint256 i = 0; i < rows[roundId].length; ++i) {
            ITrainingRounds.Leaf memory row = rows[roundId][i];
            if (row.verdict != ITrainingRounds.Verdict.Invalid) continue;
            if (_standing(roundId, row.account) != ITrainingRounds.Standing.Revealed) continue;
            vm.prank(REPORTER);
            return
                w.rounds.slashInvalid(roundId, row, MerkleTree.proof(_hashes(roundId), _hash(roundId, row)));
        }
        _skip();
    }

    function slashNonReveal(uint256 pick) public counted("slashNonReveal") {
        for (uint256 i = 0; i < roundIds.length; ++i) {
            uint256 roundId = roundIds[(pick % roundIds.length + i) % roundIds.length];
            if (vm.getBlockTimestamp() < w.rounds.getRound(roundId).revealEnd) continue;
            for (uint256 j = 0; j < SOLVERS; ++j) {
                if (_standing(roundId, solvers[j]) != ITrainingRounds.Standing.Committed) continue;
                vm.prank(REPORTER);
                return w.rounds.slashNonReveal(roundId, solvers[j]);
            }
        }
        _skip();
    }

    function slashEquivocation(uint256 pick, uint256 who, uint256 dice) public counted("equivocation") {
        if (roundIds.length == 0 || dice % 4 != 0) return _skip();
        uint256 roundId = roundIds[pick % roundIds.length];
        if (equivocated[roundId] || w.rounds.phase(roundId) == ITrainingRounds.Phase.Cancelled) {
            return _skip();
        }
        address verifier = verifiers[who % VERIFIERS];
        IStakeVault.Account memory account = w.vault.accountOf(verifier);
        if (account.free + account.unbonding == 0) return _skip();
        equivocated[roundId] = true;
        ITrainingRounds.Result memory first = ITrainingRounds.Result(roundId, "a", "b", "c", 1, 1);
        ITrainingRounds.Result memory second = ITrainingRounds.Result(roundId, "a", "b", "c", 2, 1);
        uint256 key = keys[who % VERIFIERS];
        (bytes memory a, bytes memory b) = (_sign(key, first), _sign(key, second));
        vm.prank(REPORTER);
        w.rounds.slashEquivocation(first, a, second, b);
    }

    function release(uint256 pick, uint256 who) public counted("release") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Cancelled);
        if (!found || who % 4 == 0) {
            (roundId, found) = _find(pick, ITrainingRounds.Phase.Settled);
            if (!found || vm.getBlockTimestamp() < w.rounds.getRound(roundId).claimEnd) return _skip();
        }
        for (uint256 i = 0; i < SOLVERS; ++i) {
            address solver = solvers[(who % SOLVERS + i) % SOLVERS];
            if (_standing(roundId, solver) != ITrainingRounds.Standing.Revealed) continue;
            uint256 before = w.rounds.creditOf(solver);
            vm.prank(solver);
            w.rounds.releaseBond(roundId);
            uint256 share = w.rounds.creditOf(solver) - before;
            sharesPaid[roundId] += share;
            if (share != 0) taken["unseal share"] += 1;
            if (w.rounds.phase(roundId) == ITrainingRounds.Phase.Settled) taken["late release"] += 1;
            return;
        }
        _skip();
    }

    function sweep(uint256 pick) public counted("sweep") {
        (uint256 roundId, bool found) = _find(pick, ITrainingRounds.Phase.Settled);
        ITrainingRounds.Round memory round = w.rounds.getRound(roundId);
        if (!found || vm.getBlockTimestamp() < round.claimEnd || round.payout == round.claimed) {
            return _skip();
        }
        w.rounds.sweep(roundId);
        paidOut[roundId] += round.payout - round.claimed;
    }

    // ---------------------------------------------------------------- the guide

    /// @notice One due action on some round, chosen by the phase it is in: random calls alone never reach a claim.
    function step(uint256 seed) public {
        uint256 dice = seed >> 128 & 0xff;
        (uint256 pick, uint256 who) = (seed & 0xffff, seed >> 16 & 0xffff);
        if (dice < 25) return open(seed >> 3);
        if (dice < 60) return _leave(pick, who, dice);
        if (roundIds.length == 0) return open(seed >> 3);
        // Of the newest rounds, one that is under way.
        uint256 roundId = roundIds[roundIds.length - 1 - pick % (roundIds.length < 2 ? 1 : 2)];
        uint256 place = roundIds.length - (roundIds[roundIds.length - 1] - roundId) - 1;
        ITrainingRounds.Phase phase = w.rounds.phase(roundId);
        bool hurry = dice % 5 == 0;
        if (phase == ITrainingRounds.Phase.Commit && !hurry) return commit(place, who);
        if (phase == ITrainingRounds.Phase.Gap && !hurry) {
            return dice % 3 == 0 ? aLittleLater(who) : dice % 3 == 1 ? draw(place) : unseal(place);
        }
        if (phase == ITrainingRounds.Phase.Reveal && dice % 16 != 0) {
            return dice % 4 == 1 ? draw(place) : dice % 4 == 3 ? unseal(place) : reveal(place, who);
        }
        if (phase == ITrainingRounds.Phase.Verify && !hurry) return record(place, seed);
        if (phase == ITrainingRounds.Phase.Challenge && dice % 2 == 0) return challenge(place, who);
        if (phase == ITrainingRounds.Phase.Disputed && dice % 3 != 0) return resolve(place, dice % 2 == 0);
        if (phase == ITrainingRounds.Phase.Settleable) return settle(place);
        if (phase == ITrainingRounds.Phase.Cancellable) return cancel(place);
        toNextDeadline(pick);
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

    function _leave(uint256 pick, uint256 who, uint256 dice) private {
        if (dice < 36) return claim(pick, who);
        if (dice < 39) return slashInvalid(pick);
        if (dice < 42) return slashNonReveal(pick);
        if (dice < 50) return release(pick, who);
        if (dice < 52) return sweep(pick);
        if (dice < 55) return withdrawCredit(who);
        if (dice < 56) return slashEquivocation(pick, who, 0);
        if (dice < 58) return requestUnbond(who, pick * 1 ether);
        withdrawUnbonded(who);
    }

    // ---------------------------------------------------------------- time

    /// @dev To the next deadline of some round, so that every phase is entered at its first second.
    function toNextDeadline(uint256 pick) public counted("warp") {
        if (roundIds.length == 0) return _skip();
        uint256 roundId = roundIds[roundIds.length - 1 - pick % (roundIds.length < 2 ? 1 : 2)];
        ITrainingRounds.Round memory round = w.rounds.getRound(roundId);
        uint64[7] memory deadlines = [
            round.commitEnd,
            round.revealStart,
            round.revealEnd,
            round.verifyEnd,
            round.challengeEnd,
            round.resolveEnd,
            uint64(0)
        ];
        // Seldom far ahead, to the end of the claims.
        if (pick % 5 == 0) deadlines[6] = round.claimEnd;
        uint256 time = vm.getBlockTimestamp();
        uint256 next = type(uint256).max;
        for (uint256 i = 0; i < 7; ++i) {
            if (deadlines[i] > time && deadlines[i] < next) next = deadlines[i];
        }
        if (next == type(uint256).max) return _skip();
        vm.warp(next);
        vm.prevrandao(uint256(keccak256(abi.encode(next, pick))));
    }

    function aLittleLater(uint256 dice) public counted("later") {
        vm.warp(vm.getBlockTimestamp() + _bound(dice, 1, 30));
    }

    // ---------------------------------------------------------------- for the invariants

    function accountCount() external view returns (uint256) {
        return accounts.length;
    }

    function roundCount() external view returns (uint256) {
        return roundIds.length;
    }

    /// @notice Bonds the rounds contract must be holding in the vault, by its own records of who stands where.
    function heldBonds() external view returns (uint256 held) {
        for (uint256 i = 0; i < roundIds.length; ++i) {
            ITrainingRounds.Round memory round = w.rounds.getRound(roundIds[i]);
            for (uint256 j = 0; j < SOLVERS; ++j) {
                ITrainingRounds.Standing standing = _standing(roundIds[i], solvers[j]);
                bool bonded = standing == ITrainingRounds.Standing.Committed
                    || standing == ITrainingRounds.Standing.Revealed;
                if (bonded) held += round.bond;
            }
            if (openChallenge[roundIds[i]]) held += w.rounds.challengeBondOf(roundIds[i]);
        }
    }

    /// @notice Escrow still in a round: nothing of it has become anybody's credit.
    function escrowOf(uint256 roundId) external view returns (uint256) {
        ITrainingRounds.Round memory round = w.rounds.getRound(roundId);
        if (round.phase == ITrainingRounds.Phase.Settled) return round.payout - round.claimed;
        if (round.phase != ITrainingRounds.Phase.Cancelled) {
            return uint256(round.budget) + round.fee + round.unsealBond;
        }
        if (round.cause != 2) return 0;
        return round.unsealBond - round.unsealBond % round.reveals - sharesPaid[roundId];
    }

    // ---------------------------------------------------------------- helpers

    function _skip() internal {
        taken["skipped"] += 1;
    }

    function _bound(uint256 value, uint256 minimum, uint256 maximum) internal pure returns (uint256) {
        return minimum + value % (maximum - minimum + 1);
    }

    function _digest(address solver) internal pure returns (bytes32) {
        return keccak256(abi.encode("delta", solver));
    }

    function _find(uint256 pick, ITrainingRounds.Phase phase) internal view returns (uint256, bool) {
        uint256 count = roundIds.length;
        for (uint256 i = 0; i < count; ++i) {
            uint256 roundId = roundIds[(pick % count + i) % count];
            if (w.rounds.phase(roundId) == phase) return (roundId, true);
        }
        return (0, false);
    }

    function _standing(uint256 roundId, address account) internal view returns (ITrainingRounds.Standing) {
        (, uint8 standing) = w.rounds.commitmentOf(roundId, account);
        return ITrainingRounds.Standing(standing);
    }

    function _sign(uint256 key, ITrainingRounds.Result memory result) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, w.rounds.hashResult(result));
        return abi.encodePacked(r, s, v);
    }

    function _hash(uint256 roundId, ITrainingRounds.Leaf memory row) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(roundId, row))));
    }

    function _hashes(uint256 roundId) internal view returns (bytes32[] memory hashes) {
        hashes = new bytes32[](rows[roundId].length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            hashes[i] = _hash(roundId, rows[roundId][i]);
        }
    }

    /// @dev All levels of a tree of 256 leaves; cheap to prove from because it is perfect.
    bytes32[] internal shardTree;

    function _shardTree() internal returns (bytes32) {
        shardTree = new bytes32[](2 * SHARDS);
        for (uint32 i = 0; i < SHARDS; ++i) {
            shardTree[SHARDS + i] = keccak256(abi.encode(i, EVALUATION_LABEL, bytes32(uint256(i))));
        }
        for (uint256 i = SHARDS - 1; i > 0; --i) {
            (bytes32 a, bytes32 b) = (shardTree[2 * i], shardTree[2 * i + 1]);
            shardTree[i] = a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
        }
        return shardTree[1];
    }

    function _opening(uint32 index) internal view returns (bytes32, bytes32, bytes32[] memory proof) {
        proof = new bytes32[](8);
        uint256 node = SHARDS + index;
        for (uint256 i = 0; i < 8; ++i) {
            proof[i] = shardTree[node ^ 1];
            node /= 2;
        }
        return (EVALUATION_LABEL, bytes32(uint256(index)), proof);
    }
}
