// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IProjectRegistry} from "../src/interfaces/IProjectRegistry.sol";
import {Deployed} from "./Deployed.sol";
import {vm} from "./Vm.sol";

contract ProjectRegistryTest is Deployed {
    uint256 internal setId;

    function setUp() public {
        _deploy();
        address[] memory members = new address[](1);
        members[0] = address(this);
        setId = sets.createVerifierSet(members, 1);
    }

    function test_createProject() public {
        vm.expectEmit(true, true, true, true, address(registry));
        emit IProjectRegistry.ProjectCreated(1, address(this), "r", "d", "m", "e", 256, setId, "x");
        uint256 id = registry.createProject("r", "d", "m", "e", 256, setId, "x");
        IProjectRegistry.Project memory project = registry.getProject(id);
        vm.assertEq(project.owner, address(this), "owner");
        vm.assertEq(project.model, "m", "model");
        vm.assertEq(project.evaluationCount, 256, "count");
        vm.assertEq(project.verifierSet, setId, "set");
        vm.assertEq(project.metadata, "x", "metadata");
        vm.assertEq(registry.getProject(2).owner, address(0), "unknown");
    }

    function test_digestsAreRequired() public {
        bytes memory refusal = abi.encodeWithSelector(IProjectRegistry.ZeroDigest.selector);
        vm.expectRevert(refusal);
        registry.createProject(0, "d", "m", "e", 1, setId, 0);
        vm.expectRevert(refusal);
        registry.createProject("r", 0, "m", "e", 1, setId, 0);
        vm.expectRevert(refusal);
        registry.createProject("r", "d", 0, "e", 1, setId, 0);
        vm.expectRevert(refusal);
        registry.createProject("r", "d", "m", 0, 1, setId, 0);
        registry.createProject("r", "d", "m", "e", 1, setId, 0);
    }

    function test_evaluationCount() public {
        vm.expectRevert(abi.encodeWithSelector(IProjectRegistry.BadEvaluationCount.selector, 0));
        registry.createProject("r", "d", "m", "e", 0, setId, 0);
        vm.expectRevert(abi.encodeWithSelector(IProjectRegistry.BadEvaluationCount.selector, 257));
        registry.createProject("r", "d", "m", "e", 257, setId, 0);
    }

    function test_verifierSetMustExist() public {
        vm.expectRevert(abi.encodeWithSelector(IProjectRegistry.UnknownVerifierSet.selector, 7));
        registry.createProject("r", "d", "m", "e", 1, 7, 0);
    }

    function test_onlyRoundsMayMoveAProject() public {
        uint256 id = registry.createProject("r", "d", "m", "e", 1, setId, 0);
        bytes memory refusal = abi.encodeWithSelector(IProjectRegistry.NotRounds.selector, address(this));
        vm.expectRevert(refusal);
        registry.begin(id, 1);
        vm.expectRevert(refusal);
        registry.finish(id, "n");
        vm.expectRevert(refusal);
        registry.useShard(id, 0);
    }

    function test_oneRoundAtATime() public {
        uint256 id = registry.createProject("r", "d", "m", "e", 1, setId, 0);
        vm.startPrank(address(rounds));
        vm.expectRevert(abi.encodeWithSelector(IProjectRegistry.UnknownProject.selector, 9));
        registry.begin(9, 1);
        vm.expectRevert(abi.encodeWithSelector(IProjectRegistry.NoActiveRound.selector, id));
        registry.finish(id, "n");
        registry.begin(id, 4);
        vm.assertEq(registry.getProject(id).activeRound, 4, "active");
        vm.expectRevert(abi.encodeWithSelector(IProjectRegistry.ProjectBusy.selector, id, 4));
        registry.begin(id, 5);
        vm.expectEmit(true, true, true, true, address(registry));
        emit IProjectRegistry.ModelAdvanced(id, 4, "n");
        registry.finish(id, "n");
        vm.assertEq(registry.getProject(id).model, "n", "head");
        vm.assertEq(registry.getProject(id).activeRound, 0, "free");
    }

    function test_unchangedHeadIsNotAnAdvance() public {
        uint256 id = registry.createProject("r", "d", "m", "e", 1, setId, 0);
        vm.startPrank(address(rounds));
        registry.begin(id, 4);
        vm.recordLogs();
        registry.finish(id, "m");
        vm.assertEq(vm.getRecordedLogs().length, 0, "events");
    }

    function test_shardsAreUsedOnce() public {
        uint256 id = registry.createProject("r", "d", "m", "e", 3, setId, 0);
        vm.startPrank(address(rounds));
        registry.useShard(id, 2);
        vm.assertEq(registry.getProject(id).usedShards, 4, "bitmap");
        vm.expectRevert(abi.encodeWithSelector(IProjectRegistry.ShardAlreadyUsed.selector, id, 2));
        registry.useShard(id, 2);
        vm.expectRevert(abi.encodeWithSelector(IProjectRegistry.ShardOutOfRange.selector, id, 3));
        registry.useShard(id, 3);
    }

    function test_constructorRefusesZeroes() public {
        bytes memory zero = abi.encodeWithSelector(IProjectRegistry.ZeroAddress.selector);
        _refusesToDeploy("ProjectRegistry", abi.encode(address(0), address(1)), zero);
        _refusesToDeploy("ProjectRegistry", abi.encode(address(1), address(0)), zero);
    }
}
