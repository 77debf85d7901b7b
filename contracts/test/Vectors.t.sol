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

    // ---------------------------------------------------------------- reading

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
