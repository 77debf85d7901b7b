/** What the page knows of the node: asked every few seconds while the page is seen, and at every word of news. */
import { batch, signal } from "@preact/signals";
import type { Account, Health, NodeStatus, Reward, RoundSchedule, RoundSummary, RoundVerifiers, Work } from "../../../docs/rpc";
import { NO_RESULT } from "../words/missing";
import { isOver } from "../words/phases";
import { sawBlock } from "./clock";
import { askObserver, forgetObserved, observing } from "./observing";
import { call, callAll, CallError } from "./rpc";
import { observed, serves } from "./serves";
import { listen } from "./socket";
import { signOut, token } from "./token";

const EVERY_MS = 4000;
const KEPT_POINTS = 2000;

export interface Link {
  state: "opening" | "live" | "lost";
  /** When this page last heard of the node, Unix seconds. */
  heard: number | null;
  why: string | null;
  /** What the node said of its end, if it could. */
  ended: { code: number; why: string } | null;
}

export interface Point {
  at: number;
  step: number;
  loss: number;
}

export const link = signal<Link>({ state: "opening", heard: null, why: null, ended: null });
export const status = signal<NodeStatus | null>(null);
export const health = signal<Health | null>(null);
/** The newest rounds, the newest first. */
export const rounds = signal<readonly RoundSummary[] | null>(null);
/** What the wallet holds; null where no endpoint tells. */
export const account = signal<Account | null>(null);
export const rewards = signal<readonly Reward[] | null>(null);
export const schedules = signal<ReadonlyMap<number, RoundSchedule>>(new Map());
/** Who scores the rounds that are being scored, and who was to score the newest ended one if it has no result. */
export const verifiers = signal<ReadonlyMap<number, RoundVerifiers>>(new Map());
/** `node.data_dir`, for whoever has to start it again. */
export const folder = signal<string | null>(null);
export const work = signal<Work | null>(null);
/** Loss by step of the job that runs, as this page has seen it. */
export const losses = signal<readonly Point[]>([]);
/** Counts what changed of rounds, scores and transactions: lists that show them ask anew. */
export const changes = signal(0);

let stopListening: (() => void) | null = null;
let asking = false;
let again = false;
let timer: ReturnType<typeof setInterval> | undefined;

export function start(): void {
  token.subscribe((held) => {
    stopListening?.();
    stopListening = null;
    clearInterval(timer);
    forget();
    if (held === null) return;
    let ticks = 0;
    timer = setInterval(() => {
      ticks += 1;
      if (!document.hidden) void (ticks % 2 === 0 || serves.value !== "node" ? refresh(false) : feel());
    }, EVERY_MS / 2);
    void refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void refresh();
  });
}

/** News comes from a node alone: an observer is asked. */
function hear(held: string): void {
  stopListening ??= listen(held, {
    rounds: () => void refresh(),
    scores: () => void refresh(),
    transactions: () => void refresh(),
    training: (event) => sawWork(event.work),
    standing: () => void refresh(),
    farewell: (code, why) => {
      link.value = { ...link.value, state: "lost", why: "The node has ended", ended: { code, why } };
    },
  });
}

function forget(): void {
  forgetObserved();
  batch(() => {
    serves.value = null;
    link.value = { state: "opening", heard: null, why: null, ended: null };
    status.value = health.value = rounds.value = rewards.value = work.value = account.value = null;
    schedules.value = new Map();
    folder.value = null;
    verifiers.value = new Map();
    losses.value = [];
  });
}

/** Asks for everything that every page shows; `news`: something is known to have changed. */
export async function refresh(news = true): Promise<void> {
  if (news) again = true;
  if (asking) return;
  asking = true;
  try {
    do {
      const changed = again;
      again = false;
      await askOnce(changed);
    } while (again);
  } finally {
    asking = false;
  }
}

/** Between two looks at everything: whether it is well still. What changed of that makes it a look at everything. */
async function feel(): Promise<void> {
  const held = token.value;
  if (held === null) return;
  try {
    const fit = await call(held, "node.health", {});
    if (token.value !== held) return;
    const other = JSON.stringify([fit.reasons, fit.remarks]) !== JSON.stringify([health.value?.reasons, health.value?.remarks]);
    health.value = fit;
    if (other || link.value.state === "lost") void refresh(false);
  } catch (error) {
    if (token.value === held && !(error instanceof CallError && error.kind === "declined")) lost(error);
  }
}

async function askOnce(changed: boolean): Promise<void> {
  const held = token.value;
  if (held === null) return;
  try {
    if (serves.value === null) {
      const told = await call(held, "dashboard.serves", {});
      if (token.value !== held) return;
      serves.value = told.serves === "observer" ? "observer" : "node";
    }
    if (serves.value === "observer") {
      await askAsObserver(held);
      return;
    }
    hear(held);
    const [told, fit, listed, earned, holds] = await callAll(held, [
      { method: "node.status", params: {} },
      { method: "node.health", params: {} },
      { method: "rounds.list", params: { limit: 20 } },
      { method: "rewards.list", params: { limit: 20 } },
      { method: "wallet.account", params: {} },
    ]);
    const known = await schedulesOf(held, listed);
    const scoring = await verifiersOf(held, known, listed instanceof CallError ? undefined : listed.items.find((item) => isOver(item.phase)));
    if (folder.value === null) folder.value = await folderOf(held);
    if (token.value !== held) return;
    batch(() => {
      if (!(told instanceof CallError)) {
        status.value = told;
        sawBlock(told.chain.timestamp);
        sawWork(told.work);
      }
      if (!(fit instanceof CallError)) health.value = fit;
      if (!(listed instanceof CallError)) rounds.value = listed.items;
      if (!(earned instanceof CallError)) rewards.value = earned.items;
      account.value = holds instanceof CallError ? null : holds;
      schedules.value = known;
      verifiers.value = scoring;
      heard(changed);
    });
  } catch (error) {
    if (token.value === held) lost(error);
  }
}

async function askAsObserver(held: string): Promise<void> {
  const changed = await askObserver(held);
  const [listed] = await callAll(held, [{ method: "rounds.list", params: { limit: 20 } }]);
  const known = await schedulesOf(held, listed);
  if (token.value !== held) return;
  batch(() => {
    if (observing.value !== null) sawBlock(observing.value.timestamp);
    if (!(listed instanceof CallError)) rounds.value = listed.items;
    schedules.value = known;
    heard(changed);
  });
}

function heard(changed: boolean): void {
  link.value = { state: "live", heard: Date.now() / 1000, why: null, ended: null };
  if (changed) changes.value += 1;
}

/** Of the newest rounds that are not over. */
async function schedulesOf(
  held: string,
  listed: { items: readonly RoundSummary[] } | CallError,
): Promise<ReadonlyMap<number, RoundSchedule>> {
  const open = listed instanceof CallError ? [] : listed.items.filter((item) => !isOver(item.phase)).slice(0, 6);
  if (open.length === 0) return new Map();
  const calls = open.map((item) => ({ method: "rounds.schedule" as const, params: { round: item.round } }));
  const told = (await callAll(held, calls)).filter((item): item is RoundSchedule => !(item instanceof CallError));
  return new Map(told.map((item) => [item.round, item]));
}

async function folderOf(held: string): Promise<string | null> {
  const [told] = await callAll(held, [{ method: "config.show", params: {} }]);
  const found = told instanceof CallError ? undefined : told["node"]?.["data_dir"];
  return typeof found === "string" ? found : null;
}

async function verifiersOf(
  held: string,
  known: ReadonlyMap<number, RoundSchedule>,
  ended: RoundSummary | undefined,
): Promise<ReadonlyMap<number, RoundVerifiers>> {
  const scored = [...known.values()].filter((item) => item.phase === "verify").map((item) => item.round);
  if (ended?.cause === NO_RESULT) scored.push(ended.round);
  if (scored.length === 0) return new Map();
  const calls = scored.map((round) => ({ method: "scores.verifiers" as const, params: { round } }));
  const told = (await callAll(held, calls)).filter((item): item is RoundVerifiers => !(item instanceof CallError));
  return new Map(told.map((item) => [item.round, item]));
}

function lost(error: unknown): void {
  const why = error instanceof Error ? error.message : "Something went wrong in this page";
  if (error instanceof CallError && error.kind === "unauthorized") {
    signOut(
      observed.value
        ? "The observer was started anew, and its token is another: open the link that it printed."
        : "This node does not know the token, or knows it no more. Copy it once again.",
    );
  } else {
    link.value = { ...link.value, state: "lost", why };
  }
}

function sawWork(told: Work | null): void {
  const before = work.value;
  work.value = told;
  if (told === null || told.loss == null || told.step == null) return;
  const fresh = before === null || before.job !== told.job || (before.step ?? 0) > told.step;
  const kept = fresh ? [] : losses.value;
  const last = kept.at(-1);
  if (last !== undefined && last.step === told.step) return;
  const next = [...kept, { at: Date.now() / 1000, step: told.step, loss: told.loss }];
  // Every second of the older ones is dropped, so that the whole course stays on the picture.
  losses.value = next.length > KEPT_POINTS ? next.filter((_, place) => place % 2 === 0) : next;
}

/** One call with this tab's token; a token that is refused ends the session. */
export const ask: <M extends Parameters<typeof call>[1]>(
  method: M,
  params: Parameters<typeof call<M>>[2],
) => ReturnType<typeof call<M>> = async (method, params) => {
  const held = token.value;
  if (held === null) throw new CallError("unauthorized", "Signed out");
  try {
    return await call(held, method, params);
  } catch (error) {
    if (error instanceof CallError && error.kind !== "declined") lost(error);
    throw error;
  }
};
