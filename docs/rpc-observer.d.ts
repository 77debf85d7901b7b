// Written by scripts/write_rpc_reference from what an observer answers to rpc.discover.

/** What a solver committed to, 0x-hex, and the delta it revealed, None before. */
export interface Commitment {
  solver: string;
  commitment: string;
  delta: string | null;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface CommitmentPage {
  items: (Commitment)[];
  next: string | null;
}

/** What one coordinator signed of one delta, in micro-nats. `apart`: how far its gain lies above the gain that was decided, negative below it. `standing`: `holds`, `over` or `under` that by more than the round's tolerance, `sound` of a delta that the others found invalid, `missed` where it could not fetch the delta; None where the round's rules are not to be had. `audited`: it signed what it found of the training's drawn segments. */
export interface CoordinatorScore {
  coordinator: string;
  verdict: string;
  reason: string;
  gain: number;
  stderr: number;
  apart: number;
  standing: string | null;
  audited: boolean;
}

/** One endpoint of the chain, by scheme, host and port. `standing` is `well`, `behind`, `silent`, `other-chain` or `disagrees`: it names `block` at the height `number`, and the one that is `followed` names another. */
export interface EndpointStanding {
  endpoint: string;
  standing: string;
  head: number | null;
  followed: boolean;
  number: number | null;
  block: string | null;
}

/** One solver's receipt as figures and as sentences. */
export interface ExplainedReceipt {
  receipt: Receipt;
  words: ReceiptInWords;
}

/** What a coordinator earned in a round, nothing included: `how`, or why not, empty where the round's rules are not to be had. `over`, `under`: how many of its scores say more or less of a delta than was decided, by more than the tolerance; `missed`: how many deltas it could not fetch. `reported`: whether the sheet has its scores; `in_time`: whether it had committed to them before any were opened, None where none are committed to. */
export interface FeeReceipt {
  coordinator: string;
  paid: string;
  how: string;
  over: number;
  under: number;
  missed: number;
  reported: boolean;
  in_time: boolean | null;
}

/** Metrics of the global model on the evaluation shard, by name. */
export interface HeldOut {
  before: Record<string, number>;
  after: Record<string, number>;
}

/** What somebody may want to do by hand, and the command that does it. */
export interface Instruction {
  what: string;
  command: string;
  remark: string;
}

/** A project as a node knows it at its newest confirmed block; `followed`: it works for it. */
export interface KnownProject {
  project: number;
  owner: string;
  recipe: string;
  dataset: string;
  model: string;
  verifier_set: number;
  evaluation_shards: number;
  rounds: number;
  active_round: number | null;
  followed: boolean;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface KnownProjectPage {
  items: (KnownProject)[];
  next: string | null;
}

/** How far an observer has read, and from whom. `project` is the one it was asked for, if any. */
export interface Observing {
  project: number | null;
  chain_id: number;
  contract: string;
  block: number;
  timestamp: number;
  read: boolean;
  chain: Trouble | null;
  endpoints: (EndpointStanding)[];
  peers: number | null;
  sheets: number;
  awaited: number;
  files: Trouble | null;
}

/** A project over all its rounds. Rounds that were cancelled count for nothing else. */
export interface ProjectInWhole {
  project: number;
  owner: string;
  recipe: string;
  dataset: string;
  model: string;
  verifier_set: number;
  evaluation_shards: number;
  rounds: number;
  active_round: number | null;
  followed: boolean;
  first_model: string | null;
  created: Transacted | null;
  newest: number | null;
  exported: number | null;
  settled: number;
  merged: number;
  withheld: number;
  cancelled: number;
  improvement: number;
  paid: string;
  open: string;
  solvers: number;
  sheets: number;
  awaited: number;
  unlinked: (number)[];
  left_out: number;
}

/** One solver's row of a score sheet. `how` is the sum that gives the payment, empty without a price; `scores`: what each coordinator whose report counts had measured. */
export interface Receipt {
  solver: string;
  delta: string;
  verdict: string;
  reason: string;
  detail: string;
  gain: number;
  stderr: number;
  measured_on: string;
  against: string;
  paid: string;
  how: string;
  scores: (CoordinatorScore)[];
}

/** One solver's row of a score sheet in sentences. `unlocks`: when its bond comes free or came free, in seconds of Unix; None where that is not known, or where nothing is left of it. */
export interface ReceiptInWords {
  round: number;
  solver: string;
  delta: string;
  paid: string;
  measured: string;
  outcome: string;
  payment: string;
  bond: string;
  scored: string;
  advice: string;
  checked: string;
  unlocks: number | null;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface ReceiptPage {
  items: (Receipt)[];
  next: string | null;
}

/** A round with the figures of its score sheet; `sheet_read` is False while there is none here to read. */
export interface RoundFigures {
  round: number;
  project: number;
  phase: string;
  cause: string | null;
  base: string;
  model: string | null;
  sheet: string | null;
  commits: number;
  reveals: number;
  budget: string;
  fee: string;
  bond: string;
  payout: string | null;
  improvement: number | null;
  sheet_read: boolean;
  published?: boolean;
  note?: string;
  price?: string | null;
  scored_by?: number;
  heldout?: HeldOut;
  fees?: (FeeReceipt)[];
  stderr?: number | null;
  recomputed?: boolean | null;
  checked?: string;
  episodes?: number;
}

/** A round, what its score sheet says, and where the chain says so. `outcome`: `merged` or `withheld` once a result is recorded, `cancelled`, else `open`. `final`: it can be overturned no more. `follows`: it began from the model that the recorded round before it left. */
export interface RoundOfProject {
  round: number;
  project: number;
  phase: string;
  cause: string | null;
  base: string;
  model: string | null;
  sheet: string | null;
  commits: number;
  reveals: number;
  budget: string;
  fee: string;
  bond: string;
  payout: string | null;
  improvement: number | null;
  spec: string;
  outcome: string;
  final: boolean;
  follows: boolean;
  sheet_read: boolean;
  stderr: number | null;
  note: string | null;
  accepted: number | null;
  heldout: HeldOut | null;
  opened: Transacted | null;
  recorded: Transacted | null;
  ended: Transacted | null;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface RoundOfProjectPage {
  items: (RoundOfProject)[];
  next: string | null;
}

/** When the phases of a round end, in seconds of Unix; `now` is the chain's clock as the node has it. What depends on something that did not happen yet is None. `bond` is what a solver puts up; `drawn` and `unsealed` say how far the evaluation shard is. `bonds_until`: when what is put up comes free at the latest, unless the result is challenged; None while it is, and of a round that has ended. `recorded`: when the result was. */
export interface RoundSchedule {
  round: number;
  phase: string;
  proposer: string;
  bond: string;
  now: number;
  opened: number;
  commit_end: number;
  reveal_start: number;
  reveal_end: number;
  verify_end: number;
  challenge_end: number | null;
  ended: number | null;
  drawn: boolean;
  unsealed: boolean;
  bonds_until: number | null;
  recorded: number | null;
}

/** What the chain alone says of a round. What only a recorded result has is None before. */
export interface RoundSummary {
  round: number;
  project: number;
  phase: string;
  cause: string | null;
  base: string;
  model: string | null;
  sheet: string | null;
  commits: number;
  reveals: number;
  budget: string;
  fee: string;
  bond: string;
  payout: string | null;
  improvement: number | null;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface RoundSummaryPage {
  items: (RoundSummary)[];
  next: string | null;
}

/** Whom a dashboard is of: `serves` is `node` or `observer`. */
export interface Served {
  serves: string;
}

/** What became of an account's deltas, over the rounds whose score sheets are here. `gain` is that of its merged deltas together; `paid` what settled rounds pay it, `open` what may yet be overturned. */
export interface SolverOfProject {
  place: number;
  solver: string;
  deltas: number;
  accepted: number;
  gain: number;
  paid: string;
  open: string;
  newest: number;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface SolverOfProjectPage {
  items: (SolverOfProject)[];
  next: string | null;
}

/** A transaction whose log says it, 0x-hex, and its block. */
export interface Transacted {
  transaction: string;
  block: number;
  at: number;
}

/** What went wrong, since when, and what to do about it. */
export interface Trouble {
  what: string;
  remedy: string | null;
  since: number;
}

export interface Methods {
  /** Whom the dashboard is of: a `node` or an `observer` */
  "dashboard.serves": { params: Record<string, never>; result: Served };
  /** How far the chain and the score sheets were read, from whom, and what is in the way */
  "observer.status": { params: Record<string, never>; result: Observing };
  /** Commands that verify a project and fetch its model */
  "project.commands": { params: {
      project: number;
      round?: number | null;
    }; result: (Instruction)[] };
  /** A project over all its rounds, in figures */
  "project.get": { params: {
      project: number;
    }; result: ProjectInWhole };
  /** Rounds of a project, the newest first, with what they came to and the transactions that say so */
  "project.rounds": { params: {
      project: number;
      limit?: number;
      cursor?: string | null;
      recorded?: boolean;
    }; result: RoundOfProjectPage };
  /** Who took part in a project, who was paid most first */
  "project.solvers": { params: {
      project: number;
      limit?: number;
      cursor?: string | null;
    }; result: SolverOfProjectPage };
  /** Every project of the deployment */
  "projects.list": { params: {
      limit?: number;
      cursor?: string | null;
    }; result: KnownProjectPage };
  /** One solver's receipt: what was measured, what became of the delta, what it earned and why */
  "receipts.get": { params: {
      round: number;
      solver: string;
    }; result: ExplainedReceipt };
  /** What each solver of a round earned */
  "receipts.list": { params: {
      round: number;
      limit?: number;
      cursor?: string | null;
    }; result: ReceiptPage };
  /** Who committed to what in a round, in order, and what was revealed */
  "rounds.commitments": { params: {
      round: number;
      limit?: number;
      cursor?: string | null;
    }; result: CommitmentPage };
  /** One round, with the figures of its score sheet */
  "rounds.get": { params: {
      round: number;
    }; result: RoundFigures };
  /** Rounds, the newest first */
  "rounds.list": { params: {
      limit?: number;
      cursor?: string | null;
      project?: number | null;
    }; result: RoundSummaryPage };
  /** When the phases of a round end */
  "rounds.schedule": { params: {
      round: number;
    }; result: RoundSchedule };
  /** This document */
  "rpc.discover": { params: Record<string, never>; result: unknown };
}

export declare const errors: {
  METHOD_NOT_FOUND: -32601;
  INVALID_PARAMS: -32602;
  INTERNAL_ERROR: -32603;
  OUT_OF_SCOPE: -32002;
  BATCH_TOO_LARGE: -32006;
  TIMED_OUT: -32007;
  NOT_FOUND: -32008;
  UNAVAILABLE: -32009;
  ANSWER_TOO_LARGE: -32010;
  TOO_MANY: -32011;
  NOT_A_SOCKET: -32012;
  NOT_ALLOWED: -32013;
  UNDER_WAY: -32014;
};
