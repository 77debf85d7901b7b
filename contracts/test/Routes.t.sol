// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {Deployed} from "./Deployed.sol";
import {vm} from "./Vm.sol";

/// @dev The core writes out some functions of its interface and passes the others on; none may be missing.
contract RoutesTest is Deployed {
    function setUp() public {
        _deploy();
    }

    /// @dev Calldata of a bare selector is too short for whatever takes arguments: that is refused without a word, by the
    /// core or by the library, where a selector that is nowhere is refused with `UnknownFunction`.
    function test_everyFunctionOfTheInterfaceIsThere() public {
        string memory artifact = vm.readFile("out/ITrainingRounds.sol/ITrainingRounds.json");
        string[] memory signatures = vm.parseJsonKeys(artifact, ".methodIdentifiers");
        vm.assertTrue(signatures.length > 40, "the interface was read");
        for (uint256 i = 0; i < signatures.length; ++i) {
            bytes4 selector = bytes4(keccak256(bytes(signatures[i])));
            (bool done, bytes memory answer) = address(rounds).call(abi.encodePacked(selector));
            vm.assertTrue(
                done || answer.length == 0 || bytes4(answer) != ITrainingRounds.UnknownFunction.selector,
                signatures[i]
            );
        }
    }

    function testFuzz_attackUnknownSelectorsRunNothing(bytes4 selector, bytes calldata arguments) public {
        string memory artifact = vm.readFile("out/TrainingRounds.sol/TrainingRounds.json");
        string[] memory signatures = vm.parseJsonKeys(artifact, ".methodIdentifiers");
        vm.assume(!_among(signatures, selector));
        artifact = vm.readFile("out/ITrainingRounds.sol/ITrainingRounds.json");
        vm.assume(!_among(vm.parseJsonKeys(artifact, ".methodIdentifiers"), selector));
        _refused(selector, bytes.concat(selector, arguments));
    }

    function test_attackFunctionsOfLibrariesThatAreNotOfTheInterfaceCannotBeCalled() public {
        _refused(bytes4(0), "");
        _refused(bytes4(0x12000000), hex"12");
        // What only the constructor and an opening run.
        string memory artifact = vm.readFile("out/Admission.sol/Admission.json");
        string[] memory signatures = vm.parseJsonKeys(artifact, ".methodIdentifiers");
        vm.assertEq(signatures.length, 2, "the library was read");
        for (uint256 i = 0; i < signatures.length; ++i) {
            bytes memory key = bytes(string.concat(".methodIdentifiers.['", signatures[i], "']"));
            bytes4 selector =
                bytes4(vm.parseBytes(string.concat("0x", vm.parseJsonString(artifact, string(key)))));
            _refused(selector, bytes.concat(selector, new bytes(1024)));
        }
    }

    function test_attackNothingThatIsPassedOnTakesEther() public {
        vm.deal(address(this), 1 ether);
        (bool done,) = address(rounds).call{value: 1}(abi.encodeCall(rounds.collectDebt, (address(this))));
        vm.assertTrue(!done && address(rounds).balance == 0, "ether stays out");
        (done,) = address(rounds).call{value: 1}("");
        vm.assertTrue(!done, "plain ether too");
    }

    function _refused(bytes4 selector, bytes memory data) private {
        (bool done, bytes memory answer) = address(rounds).call(data);
        bytes memory refusal = abi.encodeWithSelector(ITrainingRounds.UnknownFunction.selector, selector);
        vm.assertTrue(!done, "refused");
        vm.assertEq(keccak256(answer), keccak256(refusal), "by name");
    }

    function _among(string[] memory signatures, bytes4 selector) private pure returns (bool) {
        for (uint256 i = 0; i < signatures.length; ++i) {
            if (bytes4(keccak256(bytes(signatures[i]))) == selector) return true;
        }
        return false;
    }
}
