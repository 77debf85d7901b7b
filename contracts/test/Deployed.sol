// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IRoundLens} from "../src/interfaces/IRoundLens.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {Configuration} from "../src/types/Round.sol";
import {vm} from "./Vm.sol";

/// @dev Token, core with its libraries, lens. The tests know interfaces only, so that changing an implementation does not
/// recompile them.
abstract contract Deployed {
    uint96 internal constant VERIFIER_STAKE = 1000 ether;
    uint32 internal constant UNBOND_DELAY = 7 days;
    uint96 internal constant MINIMUM_BUDGET = 1 ether;
    uint96 internal constant MINIMUM_BOND = 1 ether;
    uint96 internal constant KEEPER_REWARD = 0.25 ether;
    uint32 internal constant MINIMUM_PHASE = 60;
    uint32 internal constant MINIMUM_CHALLENGE = 1 hours;
    uint32 internal constant RESOLVE = 3 days;
    uint16 internal constant CHALLENGE_BPS = 1000;
    uint16 internal constant EXCLUDED_BPS = 2000;
    uint16 internal constant BEACON_DELAY = 2;

    address internal immutable OWNER = _actor("owner");
    address internal immutable ARBITER = _actor("arbiter");
    address internal immutable TREASURY = _actor("treasury");
    address internal immutable PARTNER = _actor("partner");

    bytes private _linked;

    IERC20 internal token;
    ITrainingRounds internal rounds;
    IRoundLens internal lens;

    function _deploy() internal {
        token = IERC20(_create("DevToken", abi.encode(address(this), uint256(1_000_000_000 ether))));
        _deployAround(address(token));
    }

    /// @dev Also used with hostile tokens.
    function _deployAround(address token_) internal {
        vm.warp(1_800_000_000);
        vm.roll(1000);
        rounds = ITrainingRounds(_create("TrainingRounds", abi.encode(_configuration(token_))));
        lens = IRoundLens(_create("RoundLens", abi.encode(rounds)));
    }

    function _configuration(address token_) internal view returns (Configuration memory) {
        return Configuration({
            token: IERC20(token_),
            owner: OWNER,
            treasury: TREASURY,
            arbiter: ARBITER,
            partner: PARTNER,
            minimumBudget: MINIMUM_BUDGET,
            minimumBond: MINIMUM_BOND,
            minimumVerifierStake: VERIFIER_STAKE,
            keeperReward: KEEPER_REWARD,
            unbondDelay: UNBOND_DELAY,
            minimumPhaseDuration: MINIMUM_PHASE,
            minimumChallengeDuration: MINIMUM_CHALLENGE,
            resolveDuration: RESOLVE,
            beaconDelay: BEACON_DELAY,
            challengeBondBps: CHALLENGE_BPS,
            excludedBps: EXCLUDED_BPS
        });
    }

    // ---------------------------------------------------------------- creation code

    /// @dev As compiled with the tests, or as exported for deployment with JEPANET_BYTECODE=release; linked.
    function _code(string memory name) internal returns (bytes memory) {
        if (keccak256(bytes(name)) == keccak256("TrainingRounds") && _linked.length != 0) return _linked;
        bool release = keccak256(bytes(vm.envOr("JEPANET_BYTECODE", string("")))) == keccak256("release");
        if (keccak256(bytes(name)) != keccak256("TrainingRounds")) {
            if (!release) return vm.getCode(string.concat(name, ".sol:", name));
            return vm.parseJsonBytes(_exported(name), ".bytecode");
        }
        string memory code = release
            ? vm.parseJsonString(_exported(name), ".bytecode")
            : vm.parseJsonString(
                vm.readFile("out/TrainingRounds.sol/TrainingRounds.json"), ".bytecode.object"
            );
        string[8] memory libraries =
            ["Admission", "Batches", "Deposits", "Disputes", "PartnerStakes", "Projects", "Releases", "Sets"];
        for (uint256 i = 0; i < libraries.length; ++i) {
            address library_ = _create(libraries[i], "");
            code = vm.replace(code, _placeholder(libraries[i]), _hex(library_));
        }
        _linked = vm.parseBytes(code);
        return _linked;
    }

    function _exported(string memory name) private view returns (string memory) {
        return vm.readFile(string.concat("../abi/", name, ".json"));
    }

    /// @dev What the compiler writes where a library's address belongs.
    function _placeholder(string memory name) private pure returns (string memory) {
        bytes32 hash = keccak256(bytes(string.concat("src/rounds/", name, ".sol:", name)));
        return string.concat("__$", _slice(vm.toString(hash), 2, 34), "$__");
    }

    function _hex(address account) private pure returns (string memory) {
        return _slice(vm.toString(abi.encodePacked(account)), 2, 40);
    }

    function _slice(string memory text, uint256 from, uint256 length) private pure returns (string memory) {
        bytes memory part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            part[i] = bytes(text)[from + i];
        }
        return string(part);
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

    // ---------------------------------------------------------------- people

    function _fund(address account, uint256 amount) internal {
        require(token.transfer(account, amount), "transfer");
    }

    function _stake(address account, uint256 amount) internal {
        _fund(account, amount);
        vm.startPrank(account);
        token.approve(address(rounds), amount);
        rounds.deposit(amount, account);
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
