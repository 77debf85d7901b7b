// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProjects} from "../src/interfaces/IProjects.sol";
import {IVerifierSets} from "../src/interfaces/IVerifierSets.sol";
import {ProjectView} from "../src/types/Views.sol";
import {Deployed} from "./Deployed.sol";
import {vm} from "./Vm.sol";

contract ProjectsTest is Deployed {
    uint256 internal setId;

    function setUp() public {
        _deploy();
        address[] memory members = new address[](1);
        members[0] = address(this);
        setId = rounds.createVerifierSet(members, 1, 1 ether, 1 days);
    }

    function test_createProject() public {
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IProjects.ProjectCreated(1, address(this), "r", "d", "m", "e", 256, setId, "x");
        uint256 id = rounds.createProject("r", "d", "m", "e", 256, setId, "x");
        ProjectView memory project = lens.getProject(id);
        vm.assertEq(project.owner, address(this), "owner");
        vm.assertEq(project.model, "m", "model");
        vm.assertEq(project.evaluationCount, 256, "count");
        vm.assertEq(project.verifierSet, setId, "set");
        vm.assertEq(project.metadata, "x", "metadata");
        vm.assertEq(project.recipe, "r", "recipe");
        vm.assertEq(project.dataset, "d", "dataset");
        vm.assertEq(project.evaluationRoot, "e", "root");
        vm.assertEq(project.activeRound, 0, "free");
        vm.assertEq(lens.projectCount(), 1, "count");
        vm.assertEq(lens.getProject(2).owner, address(0), "unknown");
    }

    function test_digestsAreRequired() public {
        bytes memory refusal = abi.encodeWithSelector(IProjects.ZeroDigest.selector);
        vm.expectRevert(refusal);
        rounds.createProject(0, "d", "m", "e", 1, setId, 0);
        vm.expectRevert(refusal);
        rounds.createProject("r", 0, "m", "e", 1, setId, 0);
        vm.expectRevert(refusal);
        rounds.createProject("r", "d", 0, "e", 1, setId, 0);
        vm.expectRevert(refusal);
        rounds.createProject("r", "d", "m", 0, 1, setId, 0);
        rounds.createProject("r", "d", "m", "e", 1, setId, 0);
    }

    function test_evaluationCount() public {
        vm.expectRevert(abi.encodeWithSelector(IProjects.BadEvaluationCount.selector, 0));
        rounds.createProject("r", "d", "m", "e", 0, setId, 0);
        vm.expectRevert(abi.encodeWithSelector(IProjects.BadEvaluationCount.selector, 257));
        rounds.createProject("r", "d", "m", "e", 257, setId, 0);
    }

    function test_verifierSetMustExist() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.UnknownVerifierSet.selector, 7));
        rounds.createProject("r", "d", "m", "e", 1, 7, 0);
    }
}
