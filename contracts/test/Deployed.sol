// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IProjectRegistry} from "../src/interfaces/IProjectRegistry.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {IVerifierSets} from "../src/interfaces/IVerifierSets.sol";
import {vm} from "./Vm.sol";

/// @dev The five contracts, deployed in the documented order. The tests know interfaces only, so that changing an
/// implementation does not recompile them.
abstract contract Deployed {
    uint256 internal constant VERIFIER_STAKE = 1000 ether;
    uint64 internal constant UNBOND_DELAY = 7 days;
    uint128 internal constant MINIMUM_BUDGET = 1 ether;
    uint128 internal constant MINIMUM_BOND = 1 ether;
    uint32 internal constant MINIMUM_CHALLENGE = 1 hours;
    uint32 internal constant RESOLVE = 3 days;
    uint16 internal constant CHALLENGE_BPS = 1000;

    address internal immutable OWNER = _actor("owner");
    address internal immutable ARBITER = _actor("arbiter");
    address internal immutable TREASURY = _actor("treasury");

    IERC20 internal token;
    IVerifierSets internal sets;
    IStakeVault internal vault;
    IProjectRegistry internal registry;
    ITrainingRounds internal rounds;

    function _deploy() internal {
        token = IERC20(_create("DevToken", abi.encode(address(this), uint256(1_000_000_000 ether))));
        _deployAround(address(token));
    }

    /// @dev Also used with hostile tokens.
    function _deployAround(address token_) internal {
        vm.warp(1_800_000_000);
        vm.roll(1000);
        uint64 nonce = vm.getNonce(address(this));
        address predicted = vm.computeCreateAddress(address(this), nonce + 3);
        sets = IVerifierSets(_create("VerifierSets", ""));
        vault = IStakeVault(
            _create("StakeVault", abi.encode(token_, predicted, TREASURY, VERIFIER_STAKE, UNBOND_DELAY))
        );
        registry = IProjectRegistry(_create("ProjectRegistry", abi.encode(sets, predicted)));
        rounds = ITrainingRounds(_create("TrainingRounds", abi.encode(_configuration(token_))));
        vm.assertEq(address(rounds), predicted, "predicted address");
    }

    function _configuration(address token_) internal view returns (ITrainingRounds.Configuration memory) {
        return ITrainingRounds.Configuration({
            token: IERC20(token_),
            vault: vault,
            sets: sets,
            registry: registry,
            arbiter: ARBITER,
            owner: OWNER,
            minimumBudget: MINIMUM_BUDGET,
            minimumBond: MINIMUM_BOND,
            minimumChallengeDuration: MINIMUM_CHALLENGE,
            resolveDuration: RESOLVE,
            challengeBondBps: CHALLENGE_BPS
        });
    }

    /// @dev Creation code as compiled with the tests, or as exported for deployment with JEPANET_BYTECODE=release.
    function _code(string memory name) internal view returns (bytes memory) {
        if (keccak256(bytes(vm.envOr("JEPANET_BYTECODE", string("")))) != keccak256("release")) {
            return vm.getCode(string.concat(name, ".sol:", name));
        }
        return vm.parseJsonBytes(vm.readFile(string.concat("../abi/", name, ".json")), ".bytecode");
    }

    function _create(string memory name, bytes memory arguments) internal returns (address) {
        (address created, bytes memory answer) = _tryCreate(name, arguments);
        require(created != address(0), string(answer));
        return created;
    }

    /// @dev Asserts that a deployment reverts with exactly `refusal`.
    function _refusesToDeploy(string memory name, bytes memory arguments, bytes memory refusal) internal {
        (address created, bytes memory answer) = _tryCreate(name, arguments);
        vm.assertEq(created, address(0), "deployed");
        vm.assertEq(keccak256(answer), keccak256(refusal), "refusal");
    }

    function _tryCreate(string memory name, bytes memory arguments)
        private
        returns (address created, bytes memory answer)
    {
        bytes memory code = abi.encodePacked(_code(name), arguments);
        assembly ("memory-safe") {
            created := create(0, add(code, 32), mload(code))
            answer := mload(0x40)
            mstore(0x40, add(answer, add(64, returndatasize())))
            mstore(answer, returndatasize())
            returndatacopy(add(answer, 32), 0, returndatasize())
        }
    }

    function _fund(address account, uint256 amount) internal {
        require(token.transfer(account, amount), "transfer");
    }

    function _stake(address account, uint256 amount) internal {
        _fund(account, amount);
        vm.startPrank(account);
        token.approve(address(vault), amount);
        vault.deposit(amount);
        vm.stopPrank();
    }

    function _bound(uint256 value, uint256 minimum, uint256 maximum) internal pure returns (uint256) {
        return minimum + value % (maximum - minimum + 1);
    }

    function _actor(string memory name) internal pure returns (address) {
        return vm.addr(_key(name));
    }

    function _key(string memory name) internal pure returns (uint256) {
        return uint256(keccak256(bytes(name)));
    }
}
