// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IVerifierSets} from "../src/interfaces/IVerifierSets.sol";
import {Deployed} from "./Deployed.sol";
import {vm} from "./Vm.sol";

contract VerifierSetsTest is Deployed {
    function setUp() public {
        _deploy();
    }

    function test_createJoinLeave() public {
        address[] memory members = _members(3);
        vm.expectEmit(true, true, true, true, address(sets));
        emit IVerifierSets.VerifierSetCreated(1, address(this), members, 2);
        uint256 setId = sets.createVerifierSet(members, 2);
        vm.assertEq(setId, 1, "first id");
        vm.assertEq(sets.thresholdOf(setId), 2, "threshold");
        vm.assertEq(sets.membersOf(setId).length, 3, "members");
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(sets.indexOf(setId, members[i]), i, "position");
            vm.assertTrue(!sets.isActive(setId), "inactive until all consent");
            vm.expectEmit(true, true, true, true, address(sets));
            emit IVerifierSets.VerifierJoined(setId, members[i]);
            vm.prank(members[i]);
            sets.join(setId);
            vm.assertTrue(sets.hasJoined(setId, members[i]), "joined");
        }
        vm.assertTrue(sets.isActive(setId), "active");
        vm.expectEmit(true, true, true, true, address(sets));
        emit IVerifierSets.VerifierLeft(setId, members[1]);
        vm.prank(members[1]);
        sets.leave(setId);
        vm.assertTrue(!sets.isActive(setId), "unusable once one left");
        vm.prank(members[1]);
        sets.join(setId);
        vm.assertTrue(sets.isActive(setId), "active again");
    }

    function test_unknownSet() public {
        vm.assertTrue(!sets.isActive(9), "inactive");
        vm.assertEq(sets.thresholdOf(9), 0, "threshold");
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.NotMember.selector, 9, address(this)));
        sets.join(9);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.NotMember.selector, 9, address(this)));
        sets.indexOf(9, address(this));
    }

    function test_onlyMembersJoinOnce() public {
        uint256 setId = sets.createVerifierSet(_members(1), 1);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.NotMember.selector, setId, address(this)));
        sets.join(setId);
        vm.startPrank(address(1000));
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.NotJoined.selector, setId, address(1000)));
        sets.leave(setId);
        sets.join(setId);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.AlreadyJoined.selector, setId, address(1000)));
        sets.join(setId);
    }

    function test_memberCount() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadMemberCount.selector, 0));
        sets.createVerifierSet(_members(0), 1);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadMemberCount.selector, 33));
        sets.createVerifierSet(_members(33), 17);
        sets.createVerifierSet(_members(32), 17);
    }

    function test_membersAscend() public {
        address[] memory members = _members(3);
        members[2] = members[1];
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.MembersNotAscending.selector, 2));
        sets.createVerifierSet(members, 2);
        members[0] = address(0);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.MembersNotAscending.selector, 0));
        sets.createVerifierSet(members, 2);
    }

    /// @dev Exactly half never suffices, one more does; all do, more than all is impossible.
    function test_majorityAtItsEdges() public {
        for (uint32 count = 1; count <= 32; ++count) {
            address[] memory members = _members(count);
            uint32[3] memory bad = [uint32(0), count / 2, count + 1];
            for (uint256 i = 0; i < 3; ++i) {
                vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadThreshold.selector, bad[i], count));
                sets.createVerifierSet(members, bad[i]);
            }
            sets.createVerifierSet(members, count / 2 + 1);
            sets.createVerifierSet(members, count);
        }
    }

    function testFuzz_thresholdIsAMajority(uint32 threshold, uint256 count) public {
        count = _bound(count, 1, 32);
        threshold = uint32(_bound(uint256(threshold), 0, 40));
        bool good = threshold > count / 2 && threshold <= count;
        if (!good) {
            vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadThreshold.selector, threshold, count));
        }
        sets.createVerifierSet(_members(count), threshold);
    }

    function _members(uint256 count) private pure returns (address[] memory members) {
        members = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            members[i] = address(uint160(1000 + i));
        }
    }
}
