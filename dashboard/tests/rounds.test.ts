import { describe, expect, it } from "vitest";
import type { NodeStatus, RoundSchedule, Work } from "../../docs/rpc";
import { chainNow, clocksApart } from "../src/node/clock";
import { codeIn, isToken } from "../src/node/token";
import { bondOf, unmeasured } from "../src/words/bonds";
import { joined, noCurve } from "../src/words/curves";
import { farewell } from "../src/words/farewells";
import { beforeAndAfter, courses } from "../src/words/metrics";
import { happening, phaseEnd, phaseName, sooner, stages } from "../src/words/phases";
import { reason, verdict } from "../src/words/verdicts";
import { lateness, left, worries, type Known } from "../src/words/worries";

function schedule(phase: string, changes: Partial<RoundSchedule> = {}): RoundSchedule {
  return {
    round: 7, phase, proposer: "0x1", bond: "1", now: 1100, opened: 1000, commit_end: 1060, reveal_start: 1070,
    reveal_end: 1160, verify_end: 1280, challenge_end: null, ended: null, drawn: false, unsealed: false, recorded: null, bonds_until: 1340, ...changes,
  };
}

const states = (given: RoundSchedule): string => stages(given).map((item) => item.state[0]).join("");

describe("phases", () => {
  it("have a present, a past and what is ahead", () => {
    expect(states(schedule("commit"))).toBe("naaaa");
    expect(states(schedule("reveal"))).toBe("ddnaa");
    expect(states(schedule("challenge", { challenge_end: 1400 }))).toBe("ddddn");
    expect(states(schedule("settled", { challenge_end: 1400, ended: 1410 }))).toBe("ddddd");
    expect(states(schedule("cancelled", { ended: 1165 }))).toBe("dddaa");
  });
  it("end by the clock, or by a transaction", () => {
    expect(phaseEnd(schedule("commit"))).toBe(1060);
    expect(phaseEnd(schedule("verify"))).toBe(1280);
    expect(phaseEnd(schedule("settleable", { challenge_end: 1400 }))).toBeNull();
  });
  it("say when a result was recorded, and what may end them sooner", () => {
    const told = stages(schedule("challenge", { challenge_end: 1400, recorded: 1250 }));
    expect(told.map((item) => [item.from, item.to])).toEqual([[1000, 1060], [1060, 1070], [1070, 1160], [1160, 1250], [1250, 1400]]);
    expect(sooner("reveal")).toContain("everybody has revealed");
    expect(sooner("challenge")).toBe("");
  });
  it("have a name each, also one that is unknown here", () => {
    expect(phaseName("verify")).toBe("Scoring");
    expect(phaseName("someday")).toBe("someday");
    expect(happening("someday")).toBe("");
    expect(verdict("accepted").tone).toBe("good");
    expect(verdict("accepted", true).meaning).toBe("it is part of the next model");
    expect(verdict("accepted").meaning).toContain("if that was published");
    expect(verdict("accepted", false)).toMatchObject({ name: "Accepted, merge withheld", tone: "warn" });
    expect(reason("accepted", false)).toContain("withheld");
    expect(reason("harm", false)).not.toContain("withheld");
    expect(verdict("excluded", false).name).toBe("Excluded");
    expect(verdict("else").name).toBe("else");
    expect(reason("some-new-one")).toBe("some new one");
  });
});

describe("curves", () => {
  it("go on from what the node kept", () => {
    expect(joined([[0, 2], [10, 1]], [{ step: 8, loss: 9 }, { step: 12, loss: 0.9 }])).toEqual([[0, 2], [10, 1], [12, 0.9]]);
    expect(joined([], [{ step: 3, loss: 1 }])).toEqual([[3, 1]]);
  });
  it("are of the model as it was left, where two rounds have it", () => {
    const heldout = (before: number, after: number) => ({ before: { rank: before }, after: { rank: after, other: 1 } });
    const found = courses([
      { round: 4, published: true, heldout: heldout(3, 5) },
      { round: 5, published: false, heldout: heldout(5, 1) },
      { round: 6 },
    ]);
    expect(found.map((item) => [item.metric.name, item.base, item.rounds, item.values])).toEqual([["rank", true, [3, 4, 5], [3, 5, 5]]]);
    const gapped = courses([{ round: 4, heldout: heldout(3, 5) }, { round: 7, heldout: heldout(5, 6) }], [2, 4, 6, 9]);
    expect(gapped[0]).toMatchObject({ rounds: [3, 4, 6, 7], values: [3, 5, null, 6] });
    const unknown = { before: {}, after: { rank: 2 } };
    expect(courses([{ round: 4, heldout: unknown }, { round: 5, heldout: unknown }])[0]).toMatchObject({ base: false, rounds: [4, 5] });
    expect(courses([{ round: 4, heldout: heldout(1, 2) }])).toEqual([]);
  });
});

describe("metrics", () => {
  it("are told before and after, in words, nats as mnat, the telling ones first", () => {
    const told = beforeAndAfter({ before: { nmse: 0.4, pi: 0.5 }, after: { nmse: 0.3, pi: 0.9, some_new: 2 } });
    expect(told.map(({ metric, said }) => `${metric.title}: ${said}`)).toEqual([
      "Predictive information: 500 → 900 mnat",
      "Error by the variance of latents: 0.400 → 0.300",
      "some new: 2.00",
    ]);
    expect(beforeAndAfter(undefined)).toEqual([]);
  });
});

describe("a curve that is not there", () => {
  it("says why", () => {
    expect(noCurve(true, [153, 0.34])).toContain("at step 153: the curve begins with the second");
    expect(noCurve(false, [153, 0.34])).toContain("the training is over");
    expect(noCurve(true, undefined)).toContain("no loss yet");
    expect(noCurve(false, undefined)).toContain("Nothing trains now");
  });
});

describe("a cancelled round", () => {
  const bond = { round: 6, cause: "no reveals", bond: "10000000000000000000", revealed: true, release: null };
  it.each([
    [{ release: "mined" }, "10 tokens, returned whole as free stake"],
    [{ release: "sent" }, "10 tokens, on its way back whole"],
    [{}, "10 tokens, to be returned whole; the node releases it by itself"],
    [{ revealed: false, release: "mined" }, "10 tokens, lost to whoever shows that this wallet revealed no delta"],
  ])("says of a bond with %o what became of it", (changes, said) => expect(bondOf({ ...bond, ...changes })).toBe(said));
  it("will never be measured", () => {
    expect(unmeasured("cancelled")).toContain("there will be none");
    expect(unmeasured("verify")).toBe("not measured yet");
  });
});

describe("a farewell", () => {
  it("says why a node has ended and what to do", () => {
    expect(farewell(16, "no room on the disk")).toBe("No room on the disk. Make room on its disk (`df -h`), or lower `node.storage_gb`; then start it anew.");
    expect(farewell(0, "the node was stopped")).toBe("The node was stopped.");
    expect(farewell(1, "")).toBe(". The end of its log says more.".replace(/^\. /, ""));
  });
});

describe("the clock of deadlines", () => {
  it("is this computer's unless the chain's is far off", () => {
    expect(chainNow(1000, null)).toBe(1000);
    expect(chainNow(1000, -14)).toBe(1000);
    expect(chainNow(1000, 7200)).toBe(8200);
    expect(clocksApart(-14)).toBe(false);
    expect(clocksApart(-121)).toBe(true);
  });
});

describe("a token", () => {
  const token = "a".repeat(43);
  it("has a form, and the code of a link too", () => {
    expect(codeIn(`#code=${token}`)).toBe(token);
    expect(codeIn(`#code=${token}x`)).toBeNull();
    expect(codeIn(`?code=${token}`)).toBeNull();
    expect(codeIn("#/rounds")).toBeNull();
    expect(isToken(token)).toBe(true);
    expect(isToken(`${token} `)).toBe(false);
  });
});

const training: Work = { job: "train_delta", seconds: 100, step: 50, steps: 200, loss: 1 };
const well: Known = { lost: false, verifiers: new Map(), status: null, health: { healthy: true, ready: true, reasons: [], remarks: [], surroundings: null }, rewards: [], schedules: new Map(), work: null, account: null, apart: null, now: 1000, folder: null };

describe("what to worry about", () => {
  it("is a verifier that is not there while its round is scored", () => {
    const presence = { verifier: "0x12", own: false, scored: false, peer: "16U", connected: false, heard: 100 };
    const scoring = schedule("verify", { reveal_end: 900 });
    const found = worries({ ...well, schedules: new Map([[7, scoring]]), verifiers: new Map([[7, { round: 7, threshold: 1, verifiers: [presence] }]]) });
    expect(found.map((item) => [item.tone, item.what.slice(0, 24)])).toEqual([["bad", "Round 7 is in scoring, a"]]);
  });
  it("is nothing else where the node does not answer", () => {
    const account = { address: "0x12", native: "0", tokens: "5", stake_free: "0", stake_locked: "0", stake_unbonding: "0", withdrawable: "0" };
    expect(worries({ ...well, account, lost: true }).map((item) => item.what)[0]).toBe("Your node does not answer");
    expect(worries({ ...well, account, lost: true }).map((item) => item.what).join()).not.toContain("ether");
  });
  it("is nothing where all is well", () => expect(worries(well)).toEqual([]));
  it("is a training that would miss its deadline", () => {
    expect(left(training)).toBe(300);
    expect(lateness(training, 1250, 1000)).toBe(50);
    expect(lateness({ ...training, step: null }, 1250, 1000)).toBeNull();
    expect(lateness({ ...training, job: "score_deltas" }, 1250, 1000)).toBeNull();
    const [found] = worries({ ...well, work: training, schedules: new Map([[7, schedule("commit", { commit_end: 1250 })]]) });
    expect(found!.tone).toBe("bad");
    expect(found!.what).toContain("50 s after its deadline");
  });
  it("is a wallet that cannot pay for a transaction", () => {
    const account = { address: "0x12", native: "0", tokens: "5", stake_free: "0", stake_locked: "0", stake_unbonding: "0", withdrawable: "0", debt: "2000000000000000000" };
    expect(worries({ ...well, account }).map((item) => item.what)).toEqual([
      "The wallet has no ether, so nothing can be sent",
      "The wallet owes 2 tokens that a slash could not take",
    ]);
    expect(worries({ ...well, account: { ...account, native: "1", debt: "0" } })).toEqual([]);
  });
  it("is what the node depends on", () => {
    const around = { endpoints_silent: true, clock_ahead: -7200, disk_free: 20_000_000, disk_total: 1e11 };
    const health = { healthy: true, ready: false, reasons: ["chain-stopped", "endpoints-silent"], remarks: ["clock-apart", "disk-full"], surroundings: around };
    expect(worries({ ...well, health, apart: 7200 }).map((item) => item.what)).toEqual([
      "No endpoint of the chain answers",
      "The node's clock is 2 h 00 min behind the chain's",
      "The disk is full: 20 MB of 100 GB are left",
    ]);
    const low = { ...health, reasons: [], remarks: ["disk-low"] };
    expect(worries({ ...well, health: low }).map((item) => item.tone)).toEqual(["warn"]);
  });
  it("has the worst first, and a remedy for each", () => {
    const status = {
      duties: [{ duty: "SendReveal", attempts: 2, error: "no funds" }],
      rounds: [
        { round: 7, phase: "settled", failed: [["SendClaim", "no-row"]], training: null },
        { round: 8, phase: "verify", failed: [["SendReveal", "late"]], training: { status: "aborted(time)" } },
      ],
      log_lines_lost: 3,
    } as unknown as NodeStatus;
    const health = { healthy: false, ready: false, reasons: ["catching-up", "no-peers", "something-new"], remarks: [], surroundings: null };
    const found = worries({ ...well, status, health, apart: 7200, rewards: [{ round: 6, project: 1, part: "solver", verdict: "accepted", paid: "1", claim: "rejected", recorded: 1, lost: "0", published: true }] });
    expect(found[0]!.what).toBe("No peer is connected");
    expect(found.every((item) => item.remedy.length > 10)).toBe(true);
    const all = found.map((item) => item.what).join("\n");
    for (const part of ["something-new", "2 attempts", "Round 8: SendReveal", "Round 8: the training", "3 lines", "2 h 00 min", "claim of round 6"]) {
      expect(all).toContain(part);
    }
    expect(all).not.toContain("Round 7:");
  });
});
