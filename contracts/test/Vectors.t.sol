// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {EvaluationShards} from "../src/libraries/EvaluationShards.sol";
import {Results} from "../src/libraries/Results.sol";
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

    function leafHash(uint256 id, ITrainingRounds.Leaf calldata row) external pure returns (bytes32) {
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
            ITrainingRounds.Leaf memory row = ITrainingRounds.Leaf({
                account: _address(json, at_, ".account"),
                digest: _word(json, at_, ".digest"),
                verdict: ITrainingRounds.Verdict(_uint(json, at_, ".verdict")),
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
        string[2] memory kinds = [".results", ".evaluations"];
        for (uint256 k = 0; k < 2; ++k) {
            uint256 count = _count(json, kinds[k]);
            for (uint256 i = 0; i < count; ++i) {
                string memory at_ = _at(kinds[k], i);
                bytes32[] memory leaves = vm.parseJsonBytes32Array(json, string.concat(at_, ".leaves"));
                bytes32[] memory proof = vm.parseJsonBytes32Array(json, string.concat(at_, ".proof"));
                bytes32 root = _word(json, at_, ".root");
                bytes32 leaf = leaves[_uint(json, at_, ".index")];
                vm.assertEq(MerkleTree.root(leaves), root, at_);
                vm.assertTrue(MerkleProof.verify(proof, root, leaf), at_);
            }
            vm.assertGt(count, 3, "cases");
        }
    }

    function test_evaluationLeaves() public view {
        string memory json = _file("merkle");
        uint256 count = _count(json, ".evaluations");
        for (uint256 i = 0; i < count; ++i) {
            string memory at_ = _at(".evaluations", i);
            bytes32[] memory leaves = vm.parseJsonBytes32Array(json, string.concat(at_, ".leaves"));
            bytes32[] memory shards = vm.parseJsonBytes32Array(json, string.concat(at_, ".shards"));
            bytes32[] memory blindings = vm.parseJsonBytes32Array(json, string.concat(at_, ".blindings"));
            for (uint32 j = 0; j < leaves.length; ++j) {
                vm.assertEq(EvaluationShards.leaf(j, shards[j], blindings[j]), leaves[j], at_);
            }
        }
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
            ITrainingRounds.Result memory result = ITrainingRounds.Result({
                roundId: _uint(json, at_, ".roundId"),
                root: _word(json, at_, ".root"),
                model: _word(json, at_, ".model"),
                sheet: _word(json, at_, ".sheet"),
                payout: uint128(_uint(json, at_, ".payout")),
                improvement: int64(vm.parseJsonInt(json, string.concat(at_, ".improvement")))
            });
            bytes32 structHash = Results.structHash(result);
            vm.assertEq(structHash, _word(json, at_, ".structHash"), at_);
            bytes32 domain = _domain(_uint(json, at_, ".chainId"), _address(json, at_, ".contract"));
            bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, structHash));
            vm.assertEq(digest, _word(json, at_, ".digest"), at_);
            bytes32 own = _domain(block.chainid, address(rounds));
            vm.assertEq(
                rounds.hashResult(result), keccak256(abi.encodePacked(hex"1901", own, structHash)), "contract"
            );
        }
        vm.assertGt(count, 1, "cases");
    }

    function test_enumerations() public view {
        string memory json = _file("enumerations");
        _numbered(json, "Phase", "None", uint8(ITrainingRounds.Phase.None));
        _numbered(json, "Phase", "Commit", uint8(ITrainingRounds.Phase.Commit));
        _numbered(json, "Phase", "Gap", uint8(ITrainingRounds.Phase.Gap));
        _numbered(json, "Phase", "Reveal", uint8(ITrainingRounds.Phase.Reveal));
        _numbered(json, "Phase", "Verify", uint8(ITrainingRounds.Phase.Verify));
        _numbered(json, "Phase", "Challenge", uint8(ITrainingRounds.Phase.Challenge));
        _numbered(json, "Phase", "Disputed", uint8(ITrainingRounds.Phase.Disputed));
        _numbered(json, "Phase", "Settleable", uint8(ITrainingRounds.Phase.Settleable));
        _numbered(json, "Phase", "Settled", uint8(ITrainingRounds.Phase.Settled));
        _numbered(json, "Phase", "Cancellable", uint8(ITrainingRounds.Phase.Cancellable));
        _numbered(json, "Phase", "Cancelled", uint8(ITrainingRounds.Phase.Cancelled));
        _sized(json, "Phase", uint8(type(ITrainingRounds.Phase).max));
        _numbered(json, "Verdict", "None", uint8(ITrainingRounds.Verdict.None));
        _numbered(json, "Verdict", "Accepted", uint8(ITrainingRounds.Verdict.Accepted));
        _numbered(json, "Verdict", "Excluded", uint8(ITrainingRounds.Verdict.Excluded));
        _numbered(json, "Verdict", "Invalid", uint8(ITrainingRounds.Verdict.Invalid));
        _numbered(json, "Verdict", "Fee", uint8(ITrainingRounds.Verdict.Fee));
        _sized(json, "Verdict", uint8(type(ITrainingRounds.Verdict).max));
    }

    function test_standingsAndCauses() public view {
        string memory json = _file("enumerations");
        _numbered(json, "Standing", "None", uint8(ITrainingRounds.Standing.None));
        _numbered(json, "Standing", "Committed", uint8(ITrainingRounds.Standing.Committed));
        _numbered(json, "Standing", "Revealed", uint8(ITrainingRounds.Standing.Revealed));
        _numbered(json, "Standing", "Released", uint8(ITrainingRounds.Standing.Released));
        _numbered(json, "Standing", "Slashed", uint8(ITrainingRounds.Standing.Slashed));
        _numbered(json, "Standing", "Verifier", uint8(ITrainingRounds.Standing.Verifier));
        _numbered(json, "Standing", "VerifierPaid", uint8(ITrainingRounds.Standing.VerifierPaid));
        _sized(json, "Standing", uint8(type(ITrainingRounds.Standing).max));
        _numbered(json, "CancelCause", "None", uint8(ITrainingRounds.CancelCause.None));
        _numbered(json, "CancelCause", "NoCommits", uint8(ITrainingRounds.CancelCause.NoCommits));
        _numbered(json, "CancelCause", "NotUnsealed", uint8(ITrainingRounds.CancelCause.NotUnsealed));
        _numbered(json, "CancelCause", "NoReveals", uint8(ITrainingRounds.CancelCause.NoReveals));
        _numbered(json, "CancelCause", "Expired", uint8(ITrainingRounds.CancelCause.Expired));
        _numbered(json, "CancelCause", "Overturned", uint8(ITrainingRounds.CancelCause.Overturned));
        _sized(json, "CancelCause", uint8(type(ITrainingRounds.CancelCause).max));
        _numbered(json, "SlashCause", "None", uint8(ITrainingRounds.SlashCause.None));
        _numbered(json, "SlashCause", "NotRevealed", uint8(ITrainingRounds.SlashCause.NotRevealed));
        _numbered(json, "SlashCause", "Invalid", uint8(ITrainingRounds.SlashCause.Invalid));
        _numbered(json, "SlashCause", "Equivocation", uint8(ITrainingRounds.SlashCause.Equivocation));
        _numbered(json, "SlashCause", "Overturned", uint8(ITrainingRounds.SlashCause.Overturned));
        _numbered(
            json, "SlashCause", "ChallengeRejected", uint8(ITrainingRounds.SlashCause.ChallengeRejected)
        );
        _numbered(json, "SlashCause", "NotUnsealed", uint8(ITrainingRounds.SlashCause.NotUnsealed));
        _sized(json, "SlashCause", uint8(type(ITrainingRounds.SlashCause).max));
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
