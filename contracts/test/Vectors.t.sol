// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {CancelCause, Phase, SlashCause, Standing, Verdict} from "../src/types/Enums.sol";
import {Leaf, Result} from "../src/types/Round.sol";
import {Hot, HotWord} from "../src/libraries/Hot.sol";
import {Phases} from "../src/libraries/Phases.sol";
import {Results} from "../src/libraries/Results.sol";
import {ShardTree} from "../src/libraries/ShardTree.sol";
import {Libraries} from "./Libraries.t.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev The node computes these hashes and amounts in Python; both sides read the same files.
contract VectorsTest is RoundTest {
    Libraries internal libraries;

    function setUp() public override {
        super.setUp();
        libraries = new Libraries();
    }

    function leafHash(uint256 id, Leaf calldata row) external pure returns (bytes32) {
        return Results.leafHash(id, row);
    }

    // ---------------------------------------------------------------- files

    function test_commitments() public view {
        string memory json = _file("commitments");
        uint256 count = _count(json, ".cases");
        for (uint256 i = 0; i < count; ++i) {
            string memory at_ = _at(".cases", i);
            bytes32 commitment = keccak256(
                abi.encode(
                    _uint(json, at_, ".chainId"),
                    _address(json, at_, ".contract"),
                    _uint(json, at_, ".roundId"),
                    _address(json, at_, ".solver"),
                    _word(json, at_, ".digest"),
                    _word(json, at_, ".salt")
                )
            );
            vm.assertEq(commitment, _word(json, at_, ".commitment"), at_);
        }
        vm.assertGt(count, 3, "cases");
    }

    function test_resultLeaves() public view {
        string memory json = _file("merkle");
        uint256 count = _count(json, ".leaves");
        for (uint256 i = 0; i < count; ++i) {
            string memory at_ = _at(".leaves", i);
            Leaf memory row = Leaf({
                account: _address(json, at_, ".account"),
                digest: _word(json, at_, ".digest"),
                verdict: Verdict(_uint(json, at_, ".verdict")),
                gain: int64(vm.parseJsonInt(json, string.concat(at_, ".gain"))),
                amount: uint128(_uint(json, at_, ".amount"))
            });
            bytes32 leaf = this.leafHash(_uint(json, at_, ".roundId"), row);
            vm.assertEq(leaf, _word(json, at_, ".leaf"), at_);
        }
        vm.assertGt(count, 3, "cases");
    }

    function test_trees() public view {
        string memory json = _file("merkle");
        uint256 count = _count(json, ".results");
        for (uint256 i = 0; i < count; ++i) {
            string memory at_ = _at(".results", i);
            bytes32[] memory leaves = vm.parseJsonBytes32Array(json, string.concat(at_, ".leaves"));
            bytes32[] memory proof = vm.parseJsonBytes32Array(json, string.concat(at_, ".proof"));
            bytes32 root = _word(json, at_, ".root");
            bytes32 leaf = leaves[_uint(json, at_, ".index")];
            vm.assertEq(MerkleTree.root(leaves), root, at_);
            vm.assertTrue(MerkleProof.verify(proof, root, leaf), at_);
        }
        vm.assertGt(count, 3, "cases");
    }

    function test_evaluationTrees() public view {
        string memory json = _file("shards");
        uint256 count = _count(json, ".trees");
        for (uint256 i = 0; i < count; ++i) {
            string memory at_ = _at(".trees", i);
            uint256 index = _uint(json, at_, ".index");
            bytes32 leaf =
                ShardTree.leaf(uint32(index), _word(json, at_, ".shard"), _word(json, at_, ".blinding"));
            vm.assertEq(leaf, _word(json, at_, ".leaf"), at_);
            vm.assertTrue(_holds(json, at_), at_);
        }
        vm.assertGt(count, 3, "cases");
        uint256 wrong = _count(json, ".wrong");
        for (uint256 i = 0; i < wrong; ++i) {
            vm.assertTrue(!_holds(json, _at(".wrong", i)), _at(".wrong", i));
        }
        vm.assertGt(wrong, 3, "wrong cases");
    }

    function _holds(string memory json, string memory at_) private view returns (bool) {
        return libraries.holds(
            _word(json, at_, ".root"),
            _uint(json, at_, ".count"),
            _uint(json, at_, ".index"),
            _word(json, at_, ".leaf"),
            vm.parseJsonBytes32Array(json, string.concat(at_, ".proof"))
        );
    }

    function test_phases() public view {
        string memory json = _file("phases");
        uint256 count = _count(json, ".cases");
        for (uint256 i = 0; i < count; ++i) {
            string memory at_ = _at(".cases", i);
            Hot hot = HotWord.make(
                1,
                1,
                _uint(json, at_, ".commitEnd"),
                _uint(json, at_, ".gap"),
                _uint(json, at_, ".revealDuration"),
                0,
                9,
                0
            );
            for (uint256 n = _uint(json, at_, ".commits"); n != 0; --n) {
                hot = hot.withCommit();
            }
            for (uint256 n = _uint(json, at_, ".reveals"); n != 0; --n) {
                hot = hot.withReveal();
            }
            if (_flag(json, at_, ".unsealed")) hot = hot.with(HotWord.UNSEALED);
            if (_flag(json, at_, ".recorded")) hot = hot.with(HotWord.RECORDED);
            if (_flag(json, at_, ".disputed")) hot = hot.with(HotWord.DISPUTED);
            if (_flag(json, at_, ".settled")) hot = hot.with(HotWord.SETTLED);
            if (_flag(json, at_, ".cancelled")) hot = hot.with(HotWord.CANCELLED);
            Phase phase = Phases.phase(
                hot,
                _uint(json, at_, ".verifyDuration"),
                _uint(json, at_, ".challengeEnd"),
                _uint(json, at_, ".resolveEnd"),
                _uint(json, at_, ".time")
            );
            vm.assertEq(uint256(phase), _uint(json, at_, ".phase"), at_);
        }
        vm.assertGt(count, 3, "cases");
    }

    function test_signedCommits() public view {
        string memory json = _file("signatures");
        uint256 count = _count(json, ".commits");
        for (uint256 i = 0; i < count; ++i) {
            string memory at_ = _at(".commits", i);
            bytes32 domain = _domain(_uint(json, at_, ".chainId"), _address(json, at_, ".contract"));
            bytes32 hash = Results.hash(_uint(json, at_, ".roundId"), _word(json, at_, ".commitment"), domain);
            vm.assertEq(hash, _word(json, at_, ".digest"), at_);
        }
        vm.assertGt(count, 1, "cases");
    }

    function test_earned() public {
        string memory json = _file("payouts");
        uint256 count = _count(json, ".earned");
        for (uint256 i = 0; i < count; ++i) {
            string memory at_ = _at(".earned", i);
            vm.assertEq(_earned(json, at_), _uint(json, at_, ".earned"), at_);
        }
        vm.assertGt(count, 3, "cases");
        uint256 refused = _count(json, ".reverting");
        for (uint256 i = 0; i < refused; ++i) {
            string memory at_ = _at(".reverting", i);
            int64 gain = int64(vm.parseJsonInt(json, string.concat(at_, ".gain")));
            int64 standardError = int64(vm.parseJsonInt(json, string.concat(at_, ".stderr")));
            uint128 price = uint128(_uint(json, at_, ".price"));
            uint32 shrinkMilli = uint32(_uint(json, at_, ".shrinkMilli"));
            vm.expectRevert();
            libraries.earned(gain, standardError, price, shrinkMilli);
        }
    }

    function test_capped() public view {
        string memory json = _file("payouts");
        uint256 count = _count(json, ".capped");
        for (uint256 i = 0; i < count; ++i) {
            string memory at_ = _at(".capped", i);
            uint128 part = libraries.capped(
                uint128(_uint(json, at_, ".amount")),
                uint128(_uint(json, at_, ".total")),
                uint128(_uint(json, at_, ".budget"))
            );
            vm.assertEq(part, _uint(json, at_, ".capped"), at_);
        }
        vm.assertGt(count, 3, "cases");
    }

    function test_signedResults() public view {
        string memory json = _file("signatures");
        uint256 count = _count(json, ".results");
        for (uint256 i = 0; i < count; ++i) {
            string memory at_ = _at(".results", i);
            Result memory result = Result({
                roundId: _uint(json, at_, ".roundId"),
                root: _word(json, at_, ".root"),
                model: _word(json, at_, ".model"),
                sheet: _word(json, at_, ".sheet"),
                payout: uint128(_uint(json, at_, ".payout")),
                improvement: int64(vm.parseJsonInt(json, string.concat(at_, ".improvement"))),
                extension: _word(json, at_, ".extension")
            });
            bytes32 structHash = keccak256(abi.encode(Results.RESULT_TYPE, result));
            vm.assertEq(structHash, _word(json, at_, ".structHash"), at_);
            bytes32 domain = _domain(_uint(json, at_, ".chainId"), _address(json, at_, ".contract"));
            bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, structHash));
            vm.assertEq(digest, _word(json, at_, ".digest"), at_);
            bytes32 own = _domain(block.chainid, address(rounds));
            vm.assertEq(
                lens.hashResult(result), keccak256(abi.encodePacked(hex"1901", own, structHash)), "contract"
            );
        }
        vm.assertGt(count, 1, "cases");
    }

    function test_enumerations() public view {
        string memory json = _file("enumerations");
        _numbered(json, "Phase", "None", uint8(Phase.None));
        _numbered(json, "Phase", "Commit", uint8(Phase.Commit));
        _numbered(json, "Phase", "Gap", uint8(Phase.Gap));
        _numbered(json, "Phase", "Reveal", uint8(Phase.Reveal));
        _numbered(json, "Phase", "Verify", uint8(Phase.Verify));
        _numbered(json, "Phase", "Challenge", uint8(Phase.Challenge));
        _numbered(json, "Phase", "Disputed", uint8(Phase.Disputed));
        _numbered(json, "Phase", "Settleable", uint8(Phase.Settleable));
        _numbered(json, "Phase", "Settled", uint8(Phase.Settled));
        _numbered(json, "Phase", "Cancellable", uint8(Phase.Cancellable));
        _numbered(json, "Phase", "Cancelled", uint8(Phase.Cancelled));
        _sized(json, "Phase", uint8(type(Phase).max));
        _numbered(json, "Verdict", "None", uint8(Verdict.None));
        _numbered(json, "Verdict", "Accepted", uint8(Verdict.Accepted));
        _numbered(json, "Verdict", "Excluded", uint8(Verdict.Excluded));
        _numbered(json, "Verdict", "Invalid", uint8(Verdict.Invalid));
        _numbered(json, "Verdict", "Fee", uint8(Verdict.Fee));
        _numbered(json, "Verdict", "Spared", uint8(Verdict.Spared));
        _sized(json, "Verdict", uint8(type(Verdict).max));
    }

    function test_standingsAndCauses() public view {
        string memory json = _file("enumerations");
        _numbered(json, "Standing", "None", uint8(Standing.None));
        _numbered(json, "Standing", "Committed", uint8(Standing.Committed));
        _numbered(json, "Standing", "Revealed", uint8(Standing.Revealed));
        _numbered(json, "Standing", "Released", uint8(Standing.Released));
        _numbered(json, "Standing", "Slashed", uint8(Standing.Slashed));
        _numbered(json, "Standing", "Verifier", uint8(Standing.Verifier));
        _numbered(json, "Standing", "VerifierPaid", uint8(Standing.VerifierPaid));
        _sized(json, "Standing", uint8(type(Standing).max));
        _numbered(json, "CancelCause", "None", uint8(CancelCause.None));
        _numbered(json, "CancelCause", "NoCommits", uint8(CancelCause.NoCommits));
        _numbered(json, "CancelCause", "NotUnsealed", uint8(CancelCause.NotUnsealed));
        _numbered(json, "CancelCause", "NoReveals", uint8(CancelCause.NoReveals));
        _numbered(json, "CancelCause", "Expired", uint8(CancelCause.Expired));
        _numbered(json, "CancelCause", "Overturned", uint8(CancelCause.Overturned));
        _sized(json, "CancelCause", uint8(type(CancelCause).max));
        _numbered(json, "SlashCause", "None", uint8(SlashCause.None));
        _numbered(json, "SlashCause", "NotRevealed", uint8(SlashCause.NotRevealed));
        _numbered(json, "SlashCause", "Invalid", uint8(SlashCause.Invalid));
        _numbered(json, "SlashCause", "Equivocation", uint8(SlashCause.Equivocation));
        _numbered(json, "SlashCause", "Overturned", uint8(SlashCause.Overturned));
        _numbered(json, "SlashCause", "ChallengeRejected", uint8(SlashCause.ChallengeRejected));
        _numbered(json, "SlashCause", "NotUnsealed", uint8(SlashCause.NotUnsealed));
        _numbered(json, "SlashCause", "Excluded", uint8(SlashCause.Excluded));
        _sized(json, "SlashCause", uint8(type(SlashCause).max));
    }

    // ---------------------------------------------------------------- reading

    function _numbered(string memory json, string memory kind, string memory name, uint8 number)
        private
        pure
    {
        string memory at_ = string.concat(".members.", kind, ".", name);
        vm.assertEq(vm.parseJsonUint(json, at_), number, at_);
    }

    function _sized(string memory json, string memory kind, uint8 last) private pure {
        string memory at_ = string.concat(".sizes.", kind);
        vm.assertEq(vm.parseJsonUint(json, at_), uint256(last) + 1, at_);
    }

    function _earned(string memory json, string memory at_) private view returns (uint256) {
        return libraries.earned(
            int64(vm.parseJsonInt(json, string.concat(at_, ".gain"))),
            int64(vm.parseJsonInt(json, string.concat(at_, ".stderr"))),
            uint128(_uint(json, at_, ".price")),
            uint32(_uint(json, at_, ".shrinkMilli"))
        );
    }

    function _domain(uint256 chain, address verifying) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("jepanet"),
                keccak256("1"),
                chain,
                verifying
            )
        );
    }

    function _file(string memory name) private view returns (string memory) {
        return vm.readFile(string.concat("../tests/vectors/", name, ".json"));
    }

    function _at(string memory list, uint256 index) private pure returns (string memory) {
        return string.concat(list, "[", vm.toString(index), "]");
    }

    function _count(string memory json, string memory list) private view returns (uint256 count) {
        while (vm.keyExistsJson(json, _at(list, count))) {
            ++count;
        }
    }

    function _uint(string memory json, string memory at_, string memory key) private pure returns (uint256) {
        return vm.parseJsonUint(json, string.concat(at_, key));
    }

    function _flag(string memory json, string memory at_, string memory key) private pure returns (bool) {
        return vm.parseJsonBool(json, string.concat(at_, key));
    }

    function _word(string memory json, string memory at_, string memory key) private pure returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(at_, key));
    }

    function _address(string memory json, string memory at_, string memory key)
        private
        pure
        returns (address)
    {
        return vm.parseJsonAddress(json, string.concat(at_, key));
    }
}
