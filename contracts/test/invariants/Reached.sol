// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev What a long run has to reach.
library Reached {
    /// @notice Every call: to be made when due, and refused when not.
    function calls() internal pure returns (string[] memory names) {
        names = new string[](38);
        names[0] = "cancel";
        names[1] = "challenge";
        names[2] = "claim";
        names[3] = "claimMany";
        names[4] = "closeChallenge";
        names[5] = "closeCommits";
        names[6] = "collectDebt";
        names[7] = "commit";
        names[8] = "commitListed";
        names[9] = "commitMany";
        names[10] = "deposit";
        names[11] = "drawBeacon";
        names[12] = "hold";
        names[13] = "join";
        names[14] = "leave";
        names[15] = "lock";
        names[16] = "openRound";
        names[17] = "overturn";
        names[18] = "pause";
        names[19] = "recordTraining";
        names[20] = "releaseBond";
        names[21] = "releaseHold";
        names[22] = "requestUnbond";
        names[23] = "reveal";
        names[24] = "revealMany";
        names[25] = "settle";
        names[26] = "slashBond";
        names[27] = "slashEquivocation";
        names[28] = "slashInvalid";
        names[29] = "slashNonReveal";
        names[30] = "slashStake";
        names[31] = "sweep";
        names[32] = "unlock";
        names[33] = "unpause";
        names[34] = "unseal";
        names[35] = "uphold";
        names[36] = "withdraw";
        names[37] = "withdrawUnbonded";
    }

    /// @notice Ends of rounds, and turns that are easily never taken.
    function states() internal pure returns (string[] memory names) {
        names = new string[](35);
        names[0] = "end: arbiter silent";
        names[1] = "end: expired";
        names[2] = "end: no commits";
        names[3] = "end: no reveals";
        names[4] = "end: not unsealed";
        names[5] = "end: overturned";
        names[6] = "end: settled, improved";
        names[7] = "end: settled, unchanged";
        names[8] = "state: bond from outside";
        names[9] = "state: challenge lost";
        names[10] = "state: challenge returned";
        names[11] = "state: claim cut short";
        names[12] = "state: claim first";
        names[13] = "state: committed by others";
        names[14] = "state: debt made";
        names[15] = "state: excluded";
        names[16] = "state: fee paid";
        names[17] = "state: full after half";
        names[18] = "state: full before half";
        names[19] = "state: lane used again";
        names[20] = "state: left while held";
        names[21] = "state: no shards left";
        names[22] = "state: pot paid";
        names[23] = "state: released unclaimed";
        names[24] = "state: reported before";
        names[25] = "state: request cut in two";
        names[26] = "state: reveals closed early";
        names[27] = "state: several challengers";
        names[28] = "state: several requests";
        names[29] = "state: shard reused";
        names[30] = "state: signer short of stake";
        names[31] = "state: unseal share";
        names[32] = "state: window passed";
        names[33] = "time: later";
        names[34] = "time: next deadline";
    }

    function all() internal pure returns (string[] memory names) {
        (string[] memory first, string[] memory second) = (calls(), states());
        names = new string[](first.length + second.length);
        for (uint256 i = 0; i < names.length; ++i) {
            names[i] = i < first.length ? first[i] : second[i - first.length];
        }
    }
}
