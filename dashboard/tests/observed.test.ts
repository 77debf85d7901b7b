import { describe, expect, it } from "vitest";
import type { EndpointStanding, Observing, ProjectInWhole } from "../../docs/rpc-observer";
import { endpointWord, outcome, standingOf, titleOf, troubles } from "../src/words/observed";

const well: Observing = {
  project: null, chain_id: 1, contract: "0x1", block: 18_204, timestamp: 900, read: true, chain: null, endpoints: [],
  peers: null, sheets: 10, awaited: 0, files: null,
};
const endpoint = (standing: string, changes: Partial<EndpointStanding> = {}): EndpointStanding => ({
  endpoint: `http://${standing}`, standing, head: 18_204, followed: false, number: null, block: null, ...changes,
});
const followed = endpoint("well", { endpoint: "http://one", followed: true });
const said = (told: Observing, unlinked: number[] = []): string[] =>
  troubles(told, { unlinked } as unknown as ProjectInWhole, 1000).map((item) => `${item.tone}: ${item.what}. ${item.remedy}`);

describe("an observed network", () => {
  it("is in nobody's way where all is read", () => {
    expect(said(well)).toEqual([]);
    expect(troubles(null, null, 1000)).toEqual([]);
    expect(standingOf(false, well)).toEqual({ tone: "good", word: "Up to date" });
  });
  it("says of an endpoint that is lost what to do, and how old the page is", () => {
    const lost = { ...well, chain: { what: "no chain endpoint answers", remedy: "start the chain's node.", since: 950 } };
    expect(said(lost)[0]).toBe("bad: The chain is not read: no chain endpoint answers. start the chain's node. What you see is of block 18,204, 1 min 40 s ago.");
    expect(said({ ...lost, chain: { ...lost.chain, remedy: null } })[0]).toContain("--rpc");
    expect(standingOf(false, lost).word).toBe("Chain not read");
    expect(standingOf(true, lost).word).toBe("No answer");
  });
  it("tells endpoints of another mind, which one it follows, and to believe nothing until then", () => {
    const told = { ...well, endpoints: [followed, endpoint("disagrees", { number: 18_000 }), endpoint("behind"), endpoint("silent"), endpoint("other-chain")] };
    const [first, second, ...rest] = said(told);
    expect(first).toMatch(/^bad: The endpoints disagree: of block 18,000, http:\/\/disagrees names another than http:\/\/one/);
    expect(second).toContain("another chain");
    expect(rest).toHaveLength(2);
    expect(standingOf(false, told).word).toBe("Endpoints disagree");
    expect(said({ ...well, endpoints: [followed] })).toEqual([]);
  });
  it("names what the sheets that nobody serves are needed for", () => {
    const files = { what: "no peer that was reached serves bagu", remedy: "ask other peers (--peer).", since: 1 };
    const told = said({ ...well, awaited: 1, files });
    expect(told[0]).toContain("1 score sheet cannot be had: no peer");
    expect(told[0]).toContain("ask other peers (--peer).");
    expect(said({ ...well, awaited: 3 })[0]).toContain("plain: 3 score sheets still to be read, of 13");
  });
  it("has the worst first: a chain of models that is broken", () => {
    const told = said({ ...well, read: false, awaited: 3 }, [4, 7]);
    expect(told[0]).toContain("Round 4, 7 did not begin from the model before it");
    expect(told.map((item) => item.split(":")[0])).toEqual(["bad", "warn", "plain"]);
  });
});

describe("words of a project", () => {
  it("are there for what is known, and pass on what is not", () => {
    expect(outcome("withheld").tone).toBe("warn");
    expect(outcome("someday").name).toBe("someday");
    expect(endpointWord("well").name).toBe("Agrees");
    expect(endpointWord("someday").tone).toBe("plain");
  });
  it("name in the tab what is wrong, and nothing else", () => {
    expect(titleOf(null)).toBe("jepanet");
    expect(titleOf({ tone: "good", word: "Well" })).toBe("jepanet");
    expect(titleOf({ tone: "bad", word: "No answer" })).toBe("No answer · jepanet");
    expect(titleOf({ tone: "warn", word: "Not ready" })).toBe("Not ready · jepanet");
  });
});
