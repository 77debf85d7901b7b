// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierSets} from "../src/interfaces/IVerifierSets.sol";
import {Readiness} from "../src/types/Enums.sol";
import {SetView} from "../src/types/Views.sol";
import {Deployed} from "./Deployed.sol";
import {vm} from "./Vm.sol";

contract VerifierSetsTest is Deployed {
    uint128 private constant CAP = 1000 ether;
    uint32 private constant HOLD = 30 days;

    function setUp() public {
        _deploy();
    }

    function test_createJoinLeave() public {
        address[] memory members = _members(3);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IVerifierSets.VerifierSetCreated(1, address(this), members, 2, CAP, HOLD);
        uint256 setId = rounds.createVerifierSet(members, 2, CAP, HOLD);
        vm.assertEq(setId, 1, "first id");
        SetView memory made = lens.getSet(setId);
        vm.assertEq(made.threshold, 2, "threshold");
        vm.assertEq(made.members.length, 3, "members");
        vm.assertEq(made.curator, address(this), "curator");
        vm.assertEq(made.cap, CAP, "cap");
        vm.assertEq(made.maxHold, HOLD, "maxHold");
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(lens.getSet(setId).members[i], members[i], "position");
            vm.assertTrue(!lens.hasJoined(setId, members[i]), "not yet");
            vm.assertTrue(!_active(setId, 3), "inactive until all consent");
            vm.expectEmit(true, true, true, true, address(rounds));
            emit IVerifierSets.VerifierJoined(setId, members[i]);
            vm.prank(members[i]);
            rounds.join(setId);
            vm.assertTrue(lens.hasJoined(setId, members[i]), "joined");
        }
        vm.assertTrue(_active(setId, 3), "active");
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IVerifierSets.VerifierLeft(setId, members[1]);
        vm.prank(members[1]);
        rounds.leave(setId);
        vm.assertTrue(!_active(setId, 3), "unusable once one left");
        vm.prank(members[1]);
        rounds.join(setId);
        vm.assertTrue(_active(setId, 3), "active again");
    }

    function test_unknownSet() public {
        vm.assertEq(lens.getSet(9).threshold, 0, "threshold");
        vm.assertEq(uint256(lens.canOpen(9, 1)), uint256(Readiness.Unknown), "canOpen");
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.UnknownVerifierSet.selector, 9));
        rounds.join(9);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.NotCurator.selector, 9, address(this)));
        rounds.admit(9, address(this), true);
    }

    function test_onlyMembersJoinOnce() public {
        uint256 setId = rounds.createVerifierSet(_members(1), 1, CAP, HOLD);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.NotMember.selector, setId, address(this)));
        rounds.join(setId);
        vm.startPrank(address(1000));
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.NotJoined.selector, setId, address(1000)));
        rounds.leave(setId);
        rounds.join(setId);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.AlreadyJoined.selector, setId, address(1000)));
        rounds.join(setId);
    }

    function test_memberCount() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadMemberCount.selector, 0));
        rounds.createVerifierSet(_members(0), 1, CAP, HOLD);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadMemberCount.selector, 33));
        rounds.createVerifierSet(_members(33), 17, CAP, HOLD);
        rounds.createVerifierSet(_members(32), 17, CAP, HOLD);
    }

    function test_membersAscend() public {
        address[] memory members = _members(3);
        members[2] = members[1];
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.MembersNotAscending.selector, 2));
        rounds.createVerifierSet(members, 2, CAP, HOLD);
        members[0] = address(0);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.MembersNotAscending.selector, 0));
        rounds.createVerifierSet(members, 2, CAP, HOLD);
    }

    /// @dev Exactly half never suffices, one more does; all do, more than all is impossible.
    function test_majorityAtItsEdges() public {
        for (uint32 count = 1; count <= 32; ++count) {
            address[] memory members = _members(count);
            uint32[3] memory bad = [uint32(0), count / 2, count + 1];
            for (uint256 i = 0; i < 3; ++i) {
                vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadThreshold.selector, bad[i], count));
                rounds.createVerifierSet(members, bad[i], CAP, HOLD);
            }
            rounds.createVerifierSet(members, count / 2 + 1, CAP, HOLD);
            rounds.createVerifierSet(members, count, CAP, HOLD);
        }
    }

    function testFuzz_thresholdIsAMajority(uint32 threshold, uint256 count) public {
        count = _bound(count, 1, 32);
        threshold = uint32(_bound(uint256(threshold), 0, 40));
        bool good = threshold > count / 2 && threshold <= count;
        if (!good) {
            vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadThreshold.selector, threshold, count));
        }
        rounds.createVerifierSet(_members(count), threshold, CAP, HOLD);
    }

    function test_limitsAreRequired() public {
        address[] memory members = _members(1);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadLimits.selector, 0, HOLD));
        rounds.createVerifierSet(members, 1, 0, HOLD);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadLimits.selector, CAP, 0));
        rounds.createVerifierSet(members, 1, CAP, 0);
        uint128 most = type(uint96).max;
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.BadLimits.selector, most + 1, HOLD));
        rounds.createVerifierSet(members, 1, most + 1, HOLD);
        rounds.createVerifierSet(members, 1, most, HOLD);
    }

    function test_admit() public {
        uint256 setId = rounds.createVerifierSet(_members(1), 1, CAP, HOLD);
        vm.assertTrue(lens.isAdmitted(setId, address(this)), "the curator");
        vm.assertTrue(!lens.isAdmitted(setId, OWNER), "nobody else");
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IVerifierSets.ProposerAdmitted(setId, OWNER, true);
        rounds.admit(setId, OWNER, true);
        vm.assertTrue(lens.isAdmitted(setId, OWNER), "admitted");
        rounds.admit(setId, OWNER, false);
        vm.assertTrue(!lens.isAdmitted(setId, OWNER), "taken back");
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.NotCurator.selector, setId, OWNER));
        rounds.admit(setId, OWNER, true);
    }

    /// @dev Eight at a time; a set that was left makes room, unless it still holds.
    function test_eightSetsAtATime() public {
        address member = address(1000);
        uint256[] memory ids = new uint256[](9);
        for (uint256 i = 0; i < 9; ++i) {
            ids[i] = rounds.createVerifierSet(_members(1), 1, CAP, HOLD);
            if (i == 8) vm.expectRevert(abi.encodeWithSelector(IVerifierSets.TooManySets.selector, member));
            vm.prank(member);
            rounds.join(ids[i]);
        }
        vm.assertEq(lens.setsOf(member).length, 8, "eight");
        vm.assertEq(lens.accountOf(member).joined, 8, "joined");
        vm.prank(PARTNER);
        rounds.hold(ids[0]);
        vm.startPrank(member);
        rounds.leave(ids[0]);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.TooManySets.selector, member));
        rounds.join(ids[8]);
        vm.stopPrank();
        vm.prank(PARTNER);
        rounds.releaseHold(ids[0]);
        vm.prank(member);
        rounds.join(ids[8]);
        vm.assertEq(lens.setsOf(member).length, 8, "eight again");
    }

    function _active(uint256 setId, uint256 count) private view returns (bool) {
        return lens.getSet(setId).joined == (1 << count) - 1;
    }

    function _members(uint256 count) private pure returns (address[] memory members) {
        members = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            members[i] = address(uint160(1000 + i));
        }
    }
}
