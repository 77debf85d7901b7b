import { describe, expect, it } from "vitest";
import type { Account, NodeStatus, RoundSchedule, RoundStatus, RoundVerifiers } from "../../docs/rpc";
import { between } from "../src/words/between";
import { claimable } from "../src/words/claims";
import { headline } from "../src/words/headlines";
import { trains } from "../src/words/jobs";
import { bondEnough, gasEnough, lockedUntil } from "../src/words/means";
import { missing, NO_RESULT, stillMissing } from "../src/words/missing";
import { gone, idle, owed, startAgain } from "../src/words/owed";
import { partNames } from "../src/words/parts";
import { happening, myPart } from "../src/words/phases";
import { remaining } from "../src/words/times";

const NOON = Date.UTC(2026, 10, 27, 12) / 1000;
const TOKEN = 10n ** 18n;
const wei = (amount: number): string => (BigInt(Math.round(amount * 1000)) * (TOKEN / 1000n)).toString();

function schedule(phase: string, changes: Partial<RoundSchedule> = {}): RoundSchedule {
  return {
    round: 9, phase, proposer: "0x1", bond: wei(10), now: NOON, opened: NOON - 100, commit_end: NOON + 60, reveal_start: NOON + 70,
    reveal_end: NOON + 160, verify_end: NOON + 280, challenge_end: null, ended: null, drawn: false, unsealed: false, recorded: null, bonds_until: NOON + 400, ...changes,
  };
}

function mine(changes: Partial<RoundStatus> = {}): RoundStatus {
  return {
    round: 9, project: 1, phase: "commit", commits: 1, reveals: 0, prepared: true, training: null, sealed: false, scored: false,
    results: 0, failed: [], committed: false, revealed: false, ...changes,
  };
}

const told = (roles: string[], ...rounds: RoundStatus[]): Pick<NodeStatus, "wallet" | "roles" | "rounds"> => ({ wallet: "0xAA", roles, rounds });
const at = (item: RoundSchedule): Map<number, RoundSchedule> => new Map([[item.round, item]]);

describe("what a node owes", () => {
  it("is a reveal once it has committed, with the bond that depends on it", () => {
    for (const phase of ["commit", "gap", "reveal"]) {
      expect(owed(told(["solver"], mine({ committed: true })), at(schedule(phase)))).toEqual([
        { round: 9, what: "reveal", until: NOON + 160, bond: wei(10) },
      ]);
    }
    expect(owed(told(["solver"], mine({ committed: true, revealed: true })), at(schedule("reveal")))).toEqual([]);
    expect(owed(told(["solver"], mine({ committed: true })), at(schedule("verify")))).toEqual([]);
  });
  it("is a commitment, or scores, by its roles", () => {
    expect(owed(told(["solver"], mine()), at(schedule("commit"))).map((item) => item.what)).toEqual(["commit"]);
    expect(owed(told(["coordinator"], mine()), at(schedule("commit")))).toEqual([]);
    expect(owed(told(["coordinator"], mine()), at(schedule("verify"))).map((item) => [item.what, item.until])).toEqual([["score", NOON + 280]]);
    expect(owed(told(["coordinator"], mine({ scored: true })), at(schedule("verify")))).toEqual([]);
  });
  it("is told when the node does not answer: until when it must be back, and what it loses", () => {
    const list = owed(told(["solver"], mine({ committed: true })), at(schedule("gap")));
    const [first, second] = gone(list, NOON, "UTC");
    expect(first!.what).toBe("Your node does not answer");
    expect(first!.remedy).toContain("jepanet node run --config node.toml");
    expect(second!.what).toBe("It has to be back before 12:02:40, in 2 min 40 s, or lose its bond of 10 tokens");
    const [, late] = gone(list, NOON + 200, "UTC");
    expect(late!.what).toBe("It had to reveal in round 9 before 12:02:40");
    expect(late!.remedy).toContain("10 tokens is lost");
  });
  it("is started again by the file that is beside its folder", () => {
    expect(startAgain(null)).toContain("`jepanet node run --config node.toml`");
    const told = gone([], NOON, "UTC", "/home/me/net/solver-1/data")[0]!.remedy;
    expect(told).toContain("`jepanet node run --config /home/me/net/solver-1/node.toml`");
    expect(told).toContain("`/home/me/net/solver-1/data` as its `data_dir`");
    expect(startAgain("data")).toContain("--config node.toml`");
  });
  it("never says that nothing is lost", () => {
    expect(gone([], NOON)[1]!.what).toContain("owes nothing that has a deadline");
    expect(JSON.stringify(gone([], NOON))).not.toContain("nothing is lost");
    const score = owed(told(["coordinator"], mine()), at(schedule("verify")));
    expect(gone(score, NOON, "UTC")[1]!.what).toBe("Its scores of round 9 are awaited before 12:04:40, in 4 min 40 s");
    const commit = owed(told(["solver"], mine()), at(schedule("commit")));
    expect(gone(commit, NOON, "UTC")[1]!.what).toBe("It has to be back before 12:01:00, in 1 min 00 s, to commit in round 9");
  });
  it("is what a worker without work waits for", () => {
    const list = owed(told(["solver"], mine({ committed: true })), at(schedule("gap")));
    expect(idle(list, NOON, "UTC")).toContain("reveal its delta of round 9, before 12:02:40");
    expect(idle([], NOON)).not.toContain("reveal");
  });
});

describe("a node's part in a phase", () => {
  it("goes by what it has done", () => {
    expect(myPart("commit", ["solver"], mine())).toBe("train, and commit before it ends");
    expect(myPart("commit", ["solver"], mine({ committed: true }))).toContain("done: the commitment is on the chain");
    expect(myPart("gap", ["solver"], mine({ committed: true }))).toContain("wait for the reveal");
    expect(myPart("reveal", ["solver"], mine({ committed: true }))).toBe("reveal the delta, and serve it");
    expect(myPart("reveal", ["solver"], mine({ committed: true, revealed: true }))).toContain("done: the delta is revealed");
    expect(myPart("reveal", ["solver"], mine())).toBe("none: this node committed to nothing");
    expect(myPart("verify", ["coordinator"], mine({ scored: true }))).toContain("done: every delta is scored");
    expect(myPart("commit", ["solver"])).toBe("train, and commit before it ends");
  });
  it("does not say of a settled round that something is to be done", () => {
    expect(happening("settled")).not.toContain("can be claimed");
  });
  it("counts down to a word that holds when nobody answers", () => {
    expect(remaining(9, false)).toBe("9 s");
    expect(remaining(0, false)).toBe("any moment");
    expect(remaining(0, true)).toBe("over by the clock");
  });
});

describe("the headline", () => {
  const health = { healthy: true, ready: true, reasons: [], remarks: [], surroundings: null };
  const warn = { tone: "warn", what: "", remedy: "" } as const;
  it("agrees with the bar", () => {
    expect(headline(false, health, [], { round: 9, phase: "verify" })).toBe("Your node is well; round 9 is being scored");
    expect(headline(false, health, [warn], undefined)).toBe("Your node is well, with a remark");
    expect(headline(false, { ...health, ready: false }, [warn], undefined)).toBe("Your node is not ready yet");
    expect(headline(false, { ...health, ready: false }, [{ ...warn, tone: "bad" }], undefined)).toBe("Your node needs you");
  });
  it("says first that the node does not answer", () => {
    expect(headline(true, health, [], { round: 9, phase: "commit" })).toBe("Your node does not answer; round 9 was training when it last did");
    expect(headline(true, null, [], undefined)).toBe("Your node does not answer");
  });
});

describe("a verifier that is not there", () => {
  type Presence = RoundVerifiers["verifiers"][number];
  const one = (changes: Partial<Presence> = {}): Presence => ({
    verifier: "0xA68D06D6168F8a37ce3c71dA7f77a655Ca17fdC8", own: false, scored: false, peer: "16U", connected: false, heard: NOON - 400, ...changes,
  });
  const scoring = schedule("verify", { reveal_end: NOON - 60, verify_end: NOON + 280 });
  const of = (threshold: number | null, ...verifiers: Presence[]): RoundVerifiers => ({ round: 9, threshold, verifiers });
  it("is worse where the others are too few", () => {
    const found = missing(of(2, one(), one({ connected: true })), scoring, NOON, NOON, "UTC")!;
    expect(found.tone).toBe("bad");
    expect(found.what).toBe("Round 9 is in scoring, and a coordinator is not to be seen from here");
    expect(found.remedy).toContain("0xA68D…fdC8 was heard 6 min 40 s ago, and its peer is not connected");
    expect(found.remedy).toContain("2 coordinators must sign, 1 is here. Without enough of them before 12:04:40");
    const enough = missing(of(1, one(), one({ connected: true })), scoring, NOON, NOON)!;
    expect([enough.tone, enough.remedy.includes("The others are enough: 1 must sign")]).toEqual(["warn", true]);
  });
  it("is not claimed of one of whom nothing was ever heard", () => {
    const silent = one({ peer: null, heard: null });
    expect(missing(of(1, silent), scoring, NOON, NOON)!.remedy).toContain("so it may be there all the same");
    expect(missing(of(1, silent), scoring, NOON - 20, NOON)).toBeNull();
  });
  it("is nobody who scored, is connected, is this node, or spoke just now", () => {
    for (const there of [{ scored: true }, { connected: true }, { own: true }, { heard: NOON - 40 }]) {
      expect(missing(of(1, one(there)), scoring, NOON, NOON)).toBeNull();
    }
    expect(missing(of(1, one()), schedule("commit"), NOON, NOON)).toBeNull();
    expect(missing(of(1, one()), scoring, NOON - 51, NOON)).toBeNull();
  });
  it("is told of until it is back, also after the round that it cost its result", () => {
    const found = stillMissing(of(2, one(), one({ connected: true })), NOON)!;
    expect([found.tone, found.what]).toEqual(["bad", "Round 9 ended without a result, and a coordinator that did not score it is still not to be seen from here"]);
    expect(found.remedy).toContain("The next round will end as this one did");
    expect(stillMissing(of(1, one(), one({ connected: true })), NOON)!.tone).toBe("warn");
    for (const there of [{ scored: true }, { connected: true }, { own: true }]) expect(stillMissing(of(1, one(there)), NOON)).toBeNull();
    expect(NO_RESULT).toBe("no result in time");
  });
});

describe("stake and the next round", () => {
  const holds: Account = { address: "0xAA", native: wei(1), tokens: wei(3), stake_free: wei(4), stake_locked: wei(10), stake_unbonding: "0", withdrawable: "0" };
  it("is locked until the last result could stand, and why", () => {
    const committed = told(["solver"], mine({ committed: true }));
    const [bond] = lockedUntil(holds, committed, at(schedule("gap")), [], NOON, "UTC");
    expect(bond).toContain("10 tokens, the bond of round 9: until 12:06:40 at the latest, if the result comes at the last moment");
    expect(bond).toContain("lost if nothing is revealed before 12:02:40");
    const after = schedule("challenge", { challenge_end: NOON + 50, bonds_until: NOON + 50 });
    const [late] = lockedUntil(holds, told(["solver"], mine({ committed: true, revealed: true })), at(after), [], NOON, "UTC");
    expect(late).toContain("until 12:00:50 at the latest, when nobody can challenge the result any more");
    expect(lockedUntil(holds, committed, at(schedule("disputed", { bonds_until: null })), [], NOON)[0]).toContain("arbiter");
    expect(lockedUntil(holds, committed, at(schedule("settleable", { bonds_until: NOON - 1 })), [], NOON)[0]).toContain("next transactions");
  });
  it("names what else is locked, or says that it does not know", () => {
    const reward = { round: 8, project: 1, part: "solver", recorded: 1, verdict: "accepted", paid: "1", claim: "pending", published: true, lost: null };
    expect(lockedUntil(holds, told(["solver"]), new Map(), [reward], NOON)).toEqual(["bond of round 8: until its claim is through, which the node sends by itself"]);
    expect(lockedUntil(holds, told(["solver"]), new Map(), [{ ...reward, claim: "rejected" }], NOON)[0]).toContain("its claim was given up");
    expect(lockedUntil(holds, told(["solver"]), new Map(), [{ ...reward, claim: "done" }], NOON)[0]).toContain("has no deadline of");
    expect(lockedUntil(holds, told(["solver"]), new Map(), [], NOON)[0]).toContain("has no deadline of");
    expect(lockedUntil(holds, told(["proposer"]), at(schedule("gap", { proposer: "0xaa" })), [], NOON, "UTC")[0]).toContain("what the proposer of round 9 puts up");
    expect(lockedUntil({ ...holds, stake_locked: "0" }, told([]), new Map(), [], NOON)).toEqual(["nothing is locked"]);
  });
  it("is enough for the next bond, or short of it", () => {
    expect(bondEnough(holds, ["solver"], { round: 9, bond: wei(7) })).toEqual({
      tone: "good",
      text: "enough: 7 tokens (stake that is free, and tokens), against the 7 that round 9 asked for; the next may ask for another bond",
    });
    expect(bondEnough(holds, ["solver"], { round: 9, bond: wei(10) }).text).toContain("3 tokens short");
    expect(bondEnough(holds, ["solver"], undefined).text).toContain("not known");
    expect(bondEnough(holds, ["coordinator"], { round: 9, bond: wei(10) }).tone).toBe("plain");
  });
  it("is gas for so many transactions, or not known", () => {
    const fee = { max_fee: "2000000000", gas: 100_000 };
    expect(gasEnough(holds, fee)).toEqual({
      tone: "good",
      text: "enough for 5,000 transactions, at 0.0002 ether each: the most that one would pay now, with the gas of the dearest of the newest 20",
    });
    expect(gasEnough({ ...holds, native: "600000000000000" }, fee)).toMatchObject({ tone: "warn" });
    expect(gasEnough({ ...holds, native: "600000000000000" }, fee).text).toContain("only for 3 transactions");
    expect(gasEnough(holds, null).text).toContain("not known now");
    expect(gasEnough(holds, { ...fee, gas: null }).text).toContain("not known before this wallet has sent one");
    expect(gasEnough(holds, { ...fee, max_fee: "0" }).text).toContain("costs nothing");
  });
});

describe("between rounds", () => {
  const projects = [{ project: 1, rounds: 8 }];
  it("says that all rounds are played where this node decides that", () => {
    expect(between(projects, 8, NOON - 60, NOON)).toContain("All are played: each project has reached the 8 rounds of `proposer.rounds`");
    expect(between(projects, 8, NOON - 60, NOON)).toContain("The newest one ended 1 min 00 s ago.");
    expect(between(projects, 9, null, NOON)).toBe("This node opens the next one by itself, up to 9 rounds a project.");
    expect(between(projects, 0, null, NOON)).toContain("opens none");
  });
  it("says what is not on the chain", () => {
    expect(between(projects, null, null, NOON)).toContain("project 1 has played 8 rounds; whether its proposer opens another is not on the chain.");
    expect(between([], null, null, NOON)).toBe("The node starts by itself when a proposer opens the next one.");
  });
});

describe("the rest of the overview", () => {
  it("offers a claim only where one can be tried", () => {
    const item = { round: 7, paid: "5", claim: "rejected" };
    expect(claimable(item, [])).toBe(true);
    expect(claimable({ ...item, paid: "0" }, [])).toBe(false);
    expect(claimable({ ...item, claim: "done" }, [])).toBe(false);
    expect(claimable({ ...item, claim: null }, [])).toBe(false);
    const pending = { ...item, claim: "pending" };
    expect(claimable(pending, [])).toBe(false);
    expect(claimable(pending, [{ duty: "SendClaim/7", attempts: 1, error: null }])).toBe(false);
    expect(claimable(pending, [{ duty: "SendClaim/7", attempts: 2, error: "no funds" }])).toBe(true);
    expect(claimable(pending, [{ duty: "SendClaim/77", attempts: 2, error: "no funds" }])).toBe(false);
  });
  it("has words for parts, and for work that has no steps", () => {
    expect(partNames(["proposer", "coordinator", "else"])).toBe("Proposer, Coordinator, else");
    expect(partNames([])).toBe("");
    expect([trains("train_delta"), trains("score_deltas")]).toEqual([true, false]);
  });
});
