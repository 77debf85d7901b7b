// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Deployed} from "./Deployed.sol";
import {Wiring} from "./invariants/Model.sol";
import {Reached} from "./invariants/Reached.sol";
import {RoundActors} from "./invariants/RoundActors.sol";
import {vm} from "./Vm.sol";

/// @dev What holds whatever anybody does. The handler knows beforehand which call is due; that the contract agrees on each of
/// them is checked in the handler, that nothing else moved is checked here after every call.
contract InvariantsTest is Deployed {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    RoundActors internal actors;

    function setUp() public {
        _deploy();
        actors = new RoundActors(Wiring(token, rounds, lens, ARBITER, OWNER, TREASURY, PARTNER));
        _fund(address(actors), 100_000_000 ether);
        actors.begin();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](6);
        selectors[0] = RoundActors.step.selector;
        selectors[1] = RoundActors.stepAgain.selector;
        selectors[2] = RoundActors.stepFurther.selector;
        selectors[3] = RoundActors.stepOn.selector;
        selectors[4] = RoundActors.anything.selector;
        selectors[5] = RoundActors.stakes.selector;
        targets[0] = FuzzSelector(address(actors), selectors);
    }

    /// @dev One function, because forge runs a whole campaign for each.
    function invariant_nothingElseMoves() public view {
        actors.check();
    }

    /// @dev One line for each run, for `scripts/fuzz_contracts` to add up.
    function afterInvariant() public {
        string memory path = vm.envOr("JEPANET_HISTOGRAM", string(""));
        if (bytes(path).length != 0) vm.writeLine(path, actors.histogram());
    }

    // ---------------------------------------------------------------- the checks are not vacuous

    /// @dev A long walk, always the same, in which everything happens and nearly everything is refused once.
    function test_everythingHappens() public {
        vm.pauseGasMetering();
        for (uint256 i = 0; i < 8000; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("walk", i)));
            if (i % 10 == 0) actors.anything(seed);
            else actors.step(seed);
            if (i % 100 == 0) invariant_nothingElseMoves();
        }
        invariant_nothingElseMoves();
        afterInvariant();
        string[] memory happened = Reached.all();
        for (uint256 i = 0; i < happened.length; ++i) {
            vm.assertGt(actors.done(bytes32(bytes(happened[i]))), 0, string.concat("happens: ", happened[i]));
        }
        string[] memory calls = Reached.calls();
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.assertGt(actors.refused(bytes32(bytes(calls[i]))), 0, string.concat("refused: ", calls[i]));
        }
    }
}
