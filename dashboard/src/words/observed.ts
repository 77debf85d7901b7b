/** How a network that is looked at stands, what is in the way, and what became of a round, in words. */
import type { EndpointStanding, Observing, ProjectInWhole } from "../../../docs/rpc-observer";
import { count, grouped } from "./sizes";
import { distance } from "./times";
import type { Tone } from "./verdicts";
import type { Worry } from "./worry";

export const GONE =
  "Start it once again where you started it: `jepanet dashboard --rpc … --deployment … --peer …`, and open the link that it prints. Nothing is lost: it keeps nothing that the chain and the peers do not have.";

const OUTCOMES: Record<string, { name: string; tone: Tone; meaning: string }> = {
  merged: { name: "Merged", tone: "good", meaning: "the model of the next round has the deltas of this one" },
  withheld: { name: "Withheld", tone: "warn", meaning: "the merge was no improvement, or broke what the model keeps; the model stayed" },
  cancelled: { name: "Cancelled", tone: "warn", meaning: "the round ended without a result that counts" },
  open: { name: "Open", tone: "plain", meaning: "no result is recorded yet" },
};

export function outcome(word: string): { name: string; tone: Tone; meaning: string } {
  return OUTCOMES[word] ?? { name: word, tone: "plain", meaning: "" };
}

export function standingOf(lost: boolean, told: Observing | null): { tone: Tone; word: string } {
  if (lost) return { tone: "bad", word: "No answer" };
  if (told === null) return { tone: "plain", word: "Opening" };
  if (told.chain !== null) return { tone: "bad", word: "Chain not read" };
  if (!told.read) return { tone: "warn", word: "Reading the chain" };
  if (told.endpoints.some((item) => item.standing === "disagrees")) return { tone: "bad", word: "Endpoints disagree" };
  return told.files === null ? { tone: "good", word: "Up to date" } : { tone: "warn", word: "Score sheets awaited" };
}

type OfEndpoint = (item: EndpointStanding, followed: string) => Worry | null;

const ENDPOINTS: Record<string, OfEndpoint> = {
  well: () => null,
  behind: (item) => ({
    tone: "warn",
    what: `${item.endpoint} is behind the others`,
    remedy: `Its newest block is ${item.head === null ? "not known" : grouped(item.head)}. It is asked after the others; if it stays so, leave it out.`,
  }),
  silent: (item) => ({
    tone: "warn",
    what: `${item.endpoint} does not answer`,
    remedy: "The others are asked. Check that it is up and reached from here, or start without it.",
  }),
  "other-chain": (item) => ({
    tone: "bad",
    what: `${item.endpoint} serves another chain than the deployment's`,
    remedy: "It is not believed. Leave it out, or use the deployment.json of that chain.",
  }),
  disagrees: (item, followed) => ({
    tone: "bad",
    what: `The endpoints disagree: of block ${grouped(item.number ?? 0)}, ${item.endpoint} names another than ${followed}`,
    remedy: `This page follows ${followed}. One of them is on a fork or lies: ask a third one with one more \`--rpc\`, and believe no figure here until they agree.`,
  }),
};

const STANDINGS: Record<string, { name: string; tone: Tone }> = {
  well: { name: "Agrees", tone: "good" },
  behind: { name: "Behind", tone: "warn" },
  silent: { name: "No answer", tone: "warn" },
  "other-chain": { name: "Another chain", tone: "bad" },
  disagrees: { name: "Disagrees", tone: "bad" },
};

export function endpointWord(standing: string): { name: string; tone: Tone } {
  return STANDINGS[standing] ?? { name: standing, tone: "plain" };
}

/** What is in the way of seeing all of it, the worst first. */
export function troubles(told: Observing | null, whole: ProjectInWhole | null, now: number): Worry[] {
  if (told === null) return [];
  const found: Worry[] = [];
  if (told.chain !== null) {
    found.push({
      tone: "bad",
      what: `The chain is not read: ${told.chain.what}`,
      remedy: `${told.chain.remedy ?? "Check the endpoints, or give another with `--rpc`."} What you see is of block ${grouped(told.block)}, ${distance(told.timestamp, now)}.`,
    });
  } else if (!told.read) {
    found.push({
      tone: "warn",
      what: `The chain is being read: block ${grouped(told.block)} so far`,
      remedy: "Wait: what is shown grows until the newest block is reached.",
    });
  }
  const followed = told.endpoints.find((item) => item.followed)?.endpoint ?? "the first one";
  for (const item of told.endpoints) {
    const worry = ENDPOINTS[item.standing]?.(item, followed) ?? null;
    if (worry !== null && (told.endpoints.length > 1 || told.chain === null)) found.push(worry);
  }
  if (told.files !== null) {
    found.push({
      tone: "warn",
      what: `${count(told.awaited, "score sheet")} cannot be had: ${told.files.what}`,
      remedy: `${told.files.remedy ?? "Name another peer with `--peer`."} Until then gains, receipts and solvers of those rounds are missing here; what the chain says of them is shown.`,
    });
  } else if (told.awaited > 0) {
    found.push({
      tone: "plain",
      what: `${count(told.awaited, "score sheet")} still to be read, of ${grouped(told.awaited + told.sheets)}`,
      remedy: "They are fetched one after another, the newest first.",
    });
  }
  if (whole !== null && whole.unlinked.length > 0) {
    found.push({
      tone: "bad",
      what: `Round ${whole.unlinked.join(", ")} did not begin from the model before it`,
      remedy: "The chain of models is broken there. Verify these rounds by hand (`jepanet verify ROUND`), and ask the proposer.",
    });
  }
  const order: Tone[] = ["bad", "warn", "plain", "good"];
  return found.sort((one, other) => order.indexOf(one.tone) - order.indexOf(other.tone));
}

/** What the tab says: what is wrong, before the name of the page, so that it is seen without opening it. */
export function titleOf(standing: { tone: Tone; word: string } | null): string {
  return standing === null || standing.tone === "good" || standing.tone === "plain" ? "jepanet" : `${standing.word} · jepanet`;
}
