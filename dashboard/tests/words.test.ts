import { describe, expect, it } from "vitest";
import { inTokens, plotted, sum, tokens } from "../src/words/amounts";
import { gain, placed, signed } from "../src/words/gains";
import { inMnat, legend } from "../src/words/improvements";
import { said } from "../src/words/lines";
import { came, rate, served, took } from "../src/words/rates";
import { bytes, count, figure } from "../src/words/sizes";
import { same, shortened } from "../src/words/shortened";
import { axisTimes, clock, distance, iso, span, stamp, zoneName } from "../src/words/times";

describe("amounts", () => {
  it.each([
    ["0", "0"],
    ["19000000000000000000", "19"],
    ["666666666666666666", "0.6666"],
    ["1999999999999999999", "1.9999"],
    ["1234567500000000000000000", "1,234,567.5"],
    ["1", "< 0.0001"],
    ["-2500000000000000000", "−2.5"],
  ])("shows %s as %s, never rounded up", (wei, shown) => expect(tokens(wei)).toBe(shown));
  it("says one token, and several", () => {
    expect(inTokens("1000000000000000000")).toBe("1 token");
    expect(inTokens("0")).toBe("0 tokens");
    expect(inTokens("500000000000000", 8)).toBe("0.0005 tokens");
  });
  it("adds without losing a wei", () => {
    expect(sum(["9007199254740993", "1", null, undefined])).toBe("9007199254740994");
    expect(plotted("1500000000000000000")).toBe(1.5);
  });
});

describe("times", () => {
  it.each([
    [0, "0 s"],
    [9.9, "9 s"],
    [249, "4 min 09 s"],
    [3840, "1 h 04 min"],
    [90_000, "1 d 01 h"],
    [-5, "0 s"],
  ])("%d seconds are %s", (seconds, shown) => expect(span(seconds)).toBe(shown));
  it("names the day only where it is another one", () => {
    const noon = Date.UTC(2026, 10, 27, 12) / 1000;
    expect(clock(noon, noon, "UTC")).toBe("12:00:00");
    expect(clock(noon, noon + 86_400, "UTC")).toBe("27 Nov 2026, 12:00:00");
    expect(clock(noon, noon, "Asia/Tokyo")).toBe("21:00:00");
    expect(iso(noon)).toBe("2026-11-27T12:00:00Z");
  });
  it("marks an axis by times of the day, or by days", () => {
    const noon = Date.UTC(2026, 10, 27, 12) / 1000;
    expect(axisTimes([noon, noon + 1800], "UTC")).toEqual(["12:00", "12:30"]);
    expect(axisTimes([noon, noon + 20, noon + 40], "UTC")).toEqual(["12:00:00", "12:00:20", "12:00:40"]);
    expect(axisTimes([noon, noon + 86_400], "UTC")).toEqual(["27 Nov", "28 Nov"]);
  });
  it("has its date and zone where lines are read later", () => {
    const noon = Date.UTC(2026, 10, 27, 12) / 1000;
    expect(stamp(noon, "Asia/Tokyo")).toBe("27 Nov 2026, 21:00:00");
    expect(zoneName(noon, "Asia/Tokyo")).toBe("GMT+9");
    expect(zoneName(noon, "UTC")).toBe("UTC");
  });
  it("says how far off", () => {
    expect(distance(100, 101)).toBe("just now");
    expect(distance(100, 160)).toBe("1 min 00 s ago");
    expect(distance(160, 100)).toBe("in 1 min 00 s");
  });
});

describe("gains", () => {
  it.each([
    [40_000, 2_000, "+40.0", "2.0", "mnat"],
    [-50_000, 2_000, "−50.0", "2.0", "mnat"],
    [340, 12, "+0.340", "0.012", "mnat"],
    [2_345_678, 1_234, "+2345.7", "1.2", "mnat"],
    [11_230, 0, "+11.23", "0.00", "mnat"],
    [0, 0, "0.00", "0.00", "mnat"],
  ])("%d ± %d micro-nats", (value, stderr, shown, error, unit) =>
    expect(gain(value, stderr)).toEqual({ value: shown, error, unit }),
  );
  it("has no negative zero", () => expect(signed(-0.001, 1)).toBe("0.0"));
  it("places a bar around the middle, and never beside the picture", () => {
    expect(placed(50, 10, 100)).toEqual({ from: 70, at: 75, to: 80 });
    expect(placed(-500, 10, 100)).toEqual({ from: 0, at: 0, to: 0 });
    expect(placed(0, 0, 0)).toEqual({ from: 50, at: 50, to: 50 });
  });
});

describe("improvements", () => {
  it("explain points, bars and gaps", () => {
    const point = { round: 4, value: 1, stderr: 2 };
    expect(legend([point, { round: 5, value: 3, stderr: 1 }])).toBe("bars: ± one standard error");
    expect(legend([point, { ...point, round: 5, stderr: null }, { round: 6, value: null, stderr: null }])).toBe(
      "bars: ± one standard error · no error is known of 1 round · cancelled, so there is no point: round 6",
    );
    expect(legend([{ ...point, stderr: null }])).toBe("no error is known of 1 round");
  });
  it("are told in one unit, notes of a sheet too", () => {
    expect(inMnat("no improvement: -0.003537 nats per direction")).toBe("no improvement: −3.54 mnat");
    expect(inMnat("no improvement: +0.000000 nats per token")).toBe("no improvement: 0.00 mnat");
    expect(inMnat("even 2 standard errors up, its gain is -0.012345")).toBe("even 2 standard errors up, its gain is −12.35 mnat");
    expect(inMnat("rank fell to 3.5")).toBe("rank fell to 3.5");
  });
});

describe("a line of the log", () => {
  it("tells amounts in tokens", () => {
    expect(said({ key: "claim/6", amount: "10000000000000000000" })).toBe("key claim/6, amount 10 tokens");
    expect(said({ bytes: "123456789", amount: "12" })).toBe("bytes 123456789, amount 12");
    expect(said({ why: "needs 2500000000000000000 more" })).toBe("why needs 2500000000000000000 (2.5 tokens) more");
    expect(said({ digest: "0x10000000000000000000" })).toBe("digest 0x10000000000000000000");
    expect(said({})).toBe("–");
  });
});

describe("rates", () => {
  it.each([
    [0.0416, "0.042 s"],
    [4.23, "4.2 s"],
    [9.5, "9.5 s"],
    [75, "1 min 15 s"],
    [0, "under 0.001 s"],
  ])("%d seconds of a download are %s", (seconds, shown) => expect(took(seconds)).toBe(shown));
  it.each([
    [1_200_000, 0.04, "30 MB/s"],
    [10_000_000, 4, "2.5 MB/s"],
    [3_000_000_000, 2, "1,500 MB/s"],
    [100, 10, "< 0.001 MB/s"],
  ])("%d bytes in %d s are %s", (value, seconds, shown) => expect(rate(value, seconds)).toBe(shown));
  it("are of nothing where nothing came, or within no time", () => {
    expect(rate(0, 1)).toBeNull();
    expect(rate(5, 0)).toBeNull();
  });
  it("are told by peer, of downloads that succeeded", () => {
    const ended = [
      { seconds: 2, failure: null, sources: [{ peer: "a", bytes: 4 }, { peer: "b", bytes: 1 }] },
      { seconds: 3, failure: null, sources: [{ peer: "a", bytes: 6 }] },
      { seconds: 90, failure: "every provider failed", sources: [{ peer: "a", bytes: 1 }] },
    ];
    expect(came(ended[0]!)).toBe(5);
    expect(served(ended)).toEqual(new Map([["a", { files: 2, bytes: 10, seconds: 5 }], ["b", { files: 1, bytes: 1, seconds: 2 }]]));
  });
});

describe("the rest", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [93_000_000, "93 MB"],
    [999_600, "1.0 MB"],
  ])("%d bytes are %s", (value, shown) => expect(bytes(value)).toBe(shown));
  it("counts", () => {
    expect(count(1, "peer")).toBe("1 peer");
    expect(count(1200, "peer")).toBe("1,200 peers");
    expect(figure(0.84561)).toBe("0.846");
    expect(figure(0)).toBe("0.00");
    expect(figure(Number.NaN)).toBe("NaN");
  });
  it("shortens what people compare by its ends", () => {
    expect(shortened("0xA68D06D6168F8a37ce3c71dA7f77a655Ca17fdC8")).toBe("0xA68D…fdC8");
    expect(shortened("bafkreifztyjwjhyjtqcip5cytpb35ttshpoiotuighvb5luohgjhfi53dq")).toBe("bafkre…fi53dq");
    expect(shortened("short")).toBe("short");
    expect(same("0xAB", "0xab")).toBe(true);
  });
});
