// Written by scripts/write_rpc_reference from what a node answers to rpc.discover.

/** Everything one account holds. `native` is ether, all else tokens. */
export interface Account {
  address: string;
  native: string;
  tokens: string;
  stake_free: string;
  stake_locked: string;
  stake_unbonding: string;
  withdrawable: string;
  debt?: string | null;
}

/** Who may open rounds with a set, by its curator's word; `unchanged` where that was so before. */
export interface Admission {
  set: number;
  proposer: string;
  admitted: boolean;
  unchanged: boolean;
}

/** A peer that is refused: why, for how many seconds still, and how often it was banned so far. */
export interface BannedPeer {
  peer: string;
  reason: string;
  seconds: number;
  times: number;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface BannedPeerPage {
  items: (BannedPeer)[];
  next: string | null;
}

export interface Bytes {
  received: number;
  sent: number;
}

/** How the chain looks from the node; `confirmed` is the newest block that it acts on. */
export interface ChainPosition {
  head: number | null;
  head_age: number;
  head_old: boolean;
  stalled: boolean;
  incomplete: boolean;
  confirmed: number | null;
  timestamp: number;
}

/** The chain of a node, the contracts that it follows, its place, and what it reads again. */
export interface ChainStatus {
  chain_id: number;
  token: string;
  rounds: string;
  lens: string;
  first_block: number;
  confirmations: number;
  endpoints: (string)[];
  position: ChainPosition;
  rescan: Rescan | null;
}

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

/** A peer of this node: its address, whether this node dialled it, whether it gossips, and the milliseconds that its newest answer to a ping took, None without one. `wallet`: which one signed the newest message of a round that came from it, and `heard` when, seconds of Unix; None before one came. `parts`: what that wallet is in projects and in the rounds that the node keeps. */
export interface ConnectedPeer {
  peer: string;
  address: string;
  outbound: boolean;
  gossiping: boolean;
  latency_ms: number | null;
  wallet: string | null;
  parts: (string)[];
  heard: number | null;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface ConnectedPeerPage {
  items: (ConnectedPeer)[];
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

/** A verifier set that was registered: `threshold` of its `members` must sign a result. */
export interface CreatedSet {
  set: number;
  members: (string)[];
  threshold: number;
  curator: string;
  cap: string;
  max_hold_seconds: number;
  note?: string | null;
}

/** One solver's receipt as figures and as sentences. */
export interface ExplainedReceipt {
  receipt: Receipt;
  words: ReceiptInWords;
}

/** What the next transaction would offer, in wei a unit of gas, and the most gas that one of the newest 20 of this wallet was allowed, None before there is one. */
export interface Fee {
  max_fee: string;
  gas: number | null;
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

/** A download that has ended, at `ended` seconds of Unix after so many `seconds`, to the thousandth; `failure`: why it came to nothing. What `sources` do not make up of `bytes` was here from an attempt before. */
export interface Fetched {
  cid: string;
  kind: string;
  bytes: number;
  seconds: number;
  ended: number;
  failure: string | null;
  sources: (Source)[];
}

/** `healthy`: process, network and the reading of the chain go on. `ready`: it also acts on the newest blocks and has peers. `reasons`: why it is not, one word a cause. `remarks`: what to see to all the same, out of `surroundings`, which are None where the node cannot speak for itself. */
export interface Health {
  healthy: boolean;
  ready: boolean;
  reasons: (string)[];
  remarks: (string)[];
  surroundings: Surroundings | null;
}

/** Metrics of the global model on the evaluation shard, by name. */
export interface HeldOut {
  before: Record<string, number>;
  after: Record<string, number>;
}

/** A code that the dashboard exchanges for a token: once, within so many seconds. */
export interface Invitation {
  code: string;
  seconds: number;
}

/** A seat that was consented to; `active` once every member has. */
export interface JoinedSet {
  set: number;
  joined_before: boolean;
  active: boolean;
  cap: string;
  max_hold_seconds: number;
  minimum_stake: string;
  address: string;
  native: string;
  tokens: string;
  stake_free: string;
  stake_locked: string;
  stake_unbonding: string;
  withdrawable: string;
  debt?: string | null;
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

/** A seat that was given up; the stake stays held while `open_rounds` are open. */
export interface LeftSet {
  set: number;
  left_before: boolean;
  open_rounds: number;
}

/** A line of the node's log, `at` seconds of Unix; numbers count from the start of the process. */
export interface LogLine {
  number: number;
  at: number;
  level: string;
  event: string;
  room: string;
  round: number | null;
  fields: Record<string, string>;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface LogLinePage {
  items: (LogLine)[];
  next: string | null;
}

/** The status a node last wrote: `age` seconds ago; `running` says whether that process still runs. */
export interface NodeStatus {
  written: number;
  moment: [string, number];
  pid: number;
  process: string | null;
  wallet: string;
  roles: (string)[];
  peer: string;
  addresses: (string)[];
  peers: number;
  chain: ChainPosition;
  projects: (number)[];
  work: Work | null;
  rpc: Serving | null;
  traffic: TrafficTotals;
  log_lines_lost: number;
  rounds: (RoundStatus)[];
  duties: (OpenDuty)[];
  age: number;
  running: boolean;
}

export interface OpenDuty {
  duty: string;
  attempts: number;
  error: string | null;
}

/** A project with its verifiers, of whom `threshold` must sign a result, and the terms of its newest round, if the node keeps one. Whoever opens the next may set others. */
export interface ProjectDetails {
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
  verifiers: (string)[];
  threshold: number | null;
  terms: ProjectTerms | null;
}

/** What a round promises and asks for. `paid`: to solvers and verifiers by its result, None before there is one; `left`: what of budget and fee is not paid. `words`: the same as sentences. `rules`: every field of its spec, none where the node has not fetched that. */
export interface ProjectTerms {
  round: number;
  proposer: string;
  budget: string;
  paid: string | null;
  left: string;
  fee: string;
  bond: string;
  words: (string)[];
  rules: (Rule)[];
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

/** Blocks `first` to `until` that a running node reads again; those up to `at` are there. */
export interface Rescan {
  first: number;
  at: number;
  until: number;
}

/** A delta that was revealed in a round; `size` in bytes where it is stored here. */
export interface RevealedDelta {
  solver: string;
  delta: string;
  size: number | null;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface RevealedDeltaPage {
  items: (RevealedDelta)[];
  next: string | null;
}

/** What a result grants this wallet in a round, as `solver` or as `coordinator`. `recorded`: when the chain got the result, in seconds of Unix. `paid` and `verdict` are None while the score sheet is not here. `claim` is how far the node is with claiming it: pending, done, rejected, or None before that is due. `lost`: what the verdict takes of a solver's bond; `published`: whether the round's merge was; None of both while that is not known. */
export interface Reward {
  round: number;
  project: number;
  part: string;
  recorded: number;
  verdict: string | null;
  paid: string | null;
  claim: string | null;
  lost: string | null;
  published: boolean | null;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface RewardPage {
  items: (Reward)[];
  next: string | null;
}

/** A role of the node; of one that is paused nothing new is begun. */
export interface RoleStanding {
  role: string;
  paused: boolean;
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

/** A round as the node knows it, and what it has done for it. */
export interface RoundStatus {
  round: number;
  project: number;
  phase: string;
  commits: number;
  reveals: number;
  prepared: boolean;
  training: TrainingOutcome | null;
  sealed: boolean;
  scored: boolean;
  results: number;
  failed: ([string, string])[];
  committed: boolean;
  revealed: boolean;
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

/** Who scores a round; `threshold` of them must sign its result, None where their set is not known. */
export interface RoundVerifiers {
  round: number;
  threshold: number | null;
  verifiers: (VerifierPresence)[];
}

/** A field of a round's rules, by its dotted key, with its value as in JSON and its meaning, if it says more than the key. */
export interface Rule {
  key: string;
  value: unknown;
  meaning: string;
}

/** A coordinator's scores of all deltas of a round; `stored`: they can be read here. */
export interface ScoreDocument {
  coordinator: string;
  scores: string;
  stored: boolean;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface ScoreDocumentPage {
  items: (ScoreDocument)[];
  next: string | null;
}

/** What one coordinator measured of one delta, in micro-nats, as it says; its signature is not checked. */
export interface ScoreRow {
  solver: string;
  delta: string;
  verdict: string;
  reason: string;
  gain: number;
  stderr: number;
  detail: string;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface ScoreRowPage {
  items: (ScoreRow)[];
  next: string | null;
}

/** A transaction that took effect, by its hash as 0x-hex, and the account after it, where an endpoint tells that. */
export interface Sent {
  transaction: string;
  address?: string;
  native?: string;
  tokens?: string;
  stake_free?: string;
  stake_locked?: string;
  stake_unbonding?: string;
  withdrawable?: string;
  debt?: string | null;
  note?: string | null;
}

/** Whom a dashboard is of: `serves` is `node` or `observer`. */
export interface Served {
  serves: string;
}

/** The node's JSON-RPC server: its `url` while it listens, the `problem` while it cannot. */
export interface Serving {
  url: string | null;
  problem: string | null;
}

/** A peer that sends a file, and the bytes of it that it sent. */
export interface Source {
  peer: string;
  bytes: number;
}

/** `rounds`: those that have not ended and in which the node has begun its part, at most 100 of them; `needed`: whether there are any: while it is needed, a node that is stopped may lose a bond. */
export interface Standing {
  roles: (RoleStanding)[];
  rounds: (number)[];
  needed: boolean;
}

/** A file of the blob store that is served to everybody; `pinned`: it is not collected. */
export interface StoredBlob {
  cid: string;
  size: number;
  pinned: boolean;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface StoredBlobPage {
  items: (StoredBlob)[];
  next: string | null;
}

/** What a node depends on: whether no endpoint answers, the seconds that its clock is ahead of new blocks (None before one was new), and the bytes that are free and in all on the disk of its data. */
export interface Surroundings {
  endpoints_silent: boolean;
  clock_ahead: number | null;
  disk_free: number;
  disk_total: number;
}

/** A duty of the node that is tried now, or that was done before. */
export interface TakenUp {
  duty: string;
  state: string;
}

/** Bytes since the process was started: blobs by kind, gossip, and the chain's endpoints by name. */
export interface TrafficTotals {
  blobs: Record<string, Bytes>;
  gossip: Bytes;
  endpoints: Record<string, Bytes>;
}

/** What the node's worker does; None while it does nothing. */
export interface Training {
  running: TrainingNow | null;
}

/** A job of the worker, and for a training the round that it is for. `rate`: steps a second since it was begun or taken up again; `seconds_left`: to its last step at that rate; `deadline`: when the round's commitments close, or scores are due, seconds of Unix, with `now`, the chain's clock; `on_time`: whether the rest fits before that. None where it is not known. `curve`: steps with their loss, thinned out to at most 256. */
export interface TrainingNow {
  job: string;
  round: number | null;
  seconds: number;
  step: number | null;
  steps: number | null;
  loss: number | null;
  rate: number | null;
  seconds_left: number | null;
  now: number;
  deadline: number | null;
  on_time: boolean | null;
  curve: ([number, number])[];
}

/** How the node's own training ended: `ok`, `early_stop` or `aborted(REASON)`, and then why. `turned_degrees`: the rms angle by which it had turned the latent frame against the base's. */
export interface TrainingOutcome {
  status: string;
  why?: string | null;
  turned_degrees?: number | null;
}

/** A transaction of this wallet. `state` is intended, sent, mined or failed; fees are wei a unit of gas. `hashes`: 0x-hex of every form it was signed in, the newest last. What it calls is left out: the data of a reveal that was not sent yet says what is revealed. */
export interface Transaction {
  what: string;
  nonce: number;
  to: string;
  value: string;
  gas: number;
  max_fee: string;
  max_priority_fee: string;
  hashes: (string)[];
  state: string;
  block: number | null;
  created: number;
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface TransactionPage {
  items: (Transaction)[];
  next: string | null;
}

/** A download under way: bytes that are there, and in all as its provider says, 0 before one has. `kind`: what the file is, as `traffic` counts it; `sources`: who sends it, the largest part first. */
export interface Transfer {
  cid: string;
  kind: string;
  done: number;
  total: number;
  seconds: number;
  sources: (Source)[];
}

/** `next` is the cursor of the page after this one, None on the last. */
export interface TransferPage {
  items: (Transfer)[];
  next: string | null;
}

/** A verifier of a round: whether it is this node's `own` wallet and whether its scores have arrived. `peer`: which one its newest message of a round came from, `connected`: whether that is, and `heard`: when it came, seconds of Unix; None where none came since the node was started. */
export interface VerifierPresence {
  verifier: string;
  own: boolean;
  scored: boolean;
  peer: string | null;
  connected: boolean;
  heard: number | null;
}

/** The running job: seconds since it began, and its last progress. */
export interface Work {
  job: string;
  seconds: number;
  step?: number | null;
  steps?: number | null;
  loss?: number | null;
}

export interface Methods {
  /** The newest 50 downloads that have ended, the newest first, and which peers sent them */
  "blobs.fetched": { params: Record<string, never>; result: (Fetched)[] };
  /** Stored files that are served to everybody */
  "blobs.list": { params: {
      limit?: number;
      cursor?: string | null;
    }; result: StoredBlobPage };
  /** Downloads that are under way, with their progress */
  "blobs.transfers": { params: {
      limit?: number;
      cursor?: string | null;
    }; result: TransferPage };
  /** Reads everything from a block on again, each block proven; duties wait until that is done */
  "chain.rescan": { params: {
      first: number;
    }; result: Rescan };
  /** The chain, its contracts, and how far the node has read it */
  "chain.status": { params: Record<string, never>; result: ChainStatus };
  /** The node's configuration, defaults included; what may be a secret is hidden */
  "config.show": { params: Record<string, never>; result: Record<string, Record<string, boolean | number | number | string | null | (string | number)[]>> };
  /** A code that the dashboard exchanges for the token of scope `read`, once and soon */
  "dashboard.invite": { params: Record<string, never>; result: Invitation };
  /** The same for the token of scope `operate` */
  "dashboard.invite_operator": { params: Record<string, never>; result: Invitation };
  /** True, to a token of scope `operate`: by which the page knows what it may offer */
  "dashboard.operates": { params: Record<string, never>; result: boolean };
  /** Whom the dashboard is of: a `node` or an `observer` */
  "dashboard.serves": { params: Record<string, never>; result: Served };
  /** Deltas that were revealed in a round, and which are stored here */
  "deltas.list": { params: {
      round: number;
      limit?: number;
      cursor?: string | null;
    }; result: RevealedDeltaPage };
  /** The newest 2,000 lines of the node's log, the newest first; without tracebacks */
  "logs.list": { params: {
      limit?: number;
      cursor?: string | null;
      level?: "debug" | "info" | "warning" | "error" | "critical" | null;
      event?: string | null;
      round?: number | null;
      about?: string | null;
    }; result: LogLinePage };
  /** Pauses every role; once no round needs the node it can be stopped without a loss */
  "node.drain": { params: Record<string, never>; result: Standing };
  /** Whether the node is healthy and ready, and if not, why */
  "node.health": { params: Record<string, never>; result: Health };
  /** Begins nothing new for a role, also after a restart; what is owed is still done */
  "node.pause": { params: {
      role: "proposer" | "solver" | "coordinator" | "aggregator";
    }; result: Standing };
  /** Ends the pause of a role */
  "node.resume": { params: {
      role: "proposer" | "solver" | "coordinator" | "aggregator";
    }; result: Standing };
  /** Which roles are paused, and which rounds still need the node */
  "node.standing": { params: Record<string, never>; result: Standing };
  /** What `jepanet status` shows: peers, chain position, training, rounds, bytes and open duties */
  "node.status": { params: Record<string, never>; result: NodeStatus };
  /** Closes a peer's connections and refuses it for an hour, doubled with each ban */
  "peers.ban": { params: {
      peer: string;
    }; result: BannedPeer };
  /** Peers that are refused, why and for how long */
  "peers.banned": { params: {
      limit?: number;
      cursor?: string | null;
    }; result: BannedPeerPage };
  /** Connects to a peer and remembers its address */
  "peers.connect": { params: {
      address: string;
    }; result: ConnectedPeer };
  /** Peers that are connected */
  "peers.list": { params: {
      limit?: number;
      cursor?: string | null;
    }; result: ConnectedPeerPage };
  /** One project: its verifiers, and the terms of its newest round in words and field by field */
  "projects.get": { params: {
      project: number;
    }; result: ProjectDetails };
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
  /** Tries the claim of an ended round now, also one given up; the node itself sends it */
  "rewards.claim": { params: {
      round: number;
    }; result: (TakenUp)[] };
  /** What recorded results grant this wallet, the newest round first */
  "rewards.list": { params: {
      limit?: number;
      cursor?: string | null;
    }; result: RewardPage };
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
  /** Over a WebSocket: what is new of a topic is told from now on; gives the subscription's id */
  "rpc.subscribe": { params: {
      topic: "rounds" | "scores" | "training" | "transactions" | "transfers" | "logs";
    }; result: string };
  /** Ends a subscription of this connection */
  "rpc.unsubscribe": { params: {
      subscription: string;
    }; result: boolean };
  /** What one coordinator measured of each delta of a round */
  "scores.get": { params: {
      round: number;
      coordinator: string;
      limit?: number;
      cursor?: string | null;
    }; result: ScoreRowPage };
  /** Which coordinators' scores of a round have arrived */
  "scores.list": { params: {
      round: number;
      limit?: number;
      cursor?: string | null;
    }; result: ScoreDocumentPage };
  /** Who scores a round: whose scores have arrived, and who is connected */
  "scores.verifiers": { params: {
      round: number;
    }; result: RoundVerifiers };
  /** Takes what an account owes out of its stake, a tenth for this wallet; the node itself sends it */
  "stake.collect": { params: {
      account?: string | null;
    }; result: Sent };
  /** Puts tokens of the wallet up as stake; the node itself sends it */
  "stake.deposit": { params: {
      amount: string;
    }; result: Sent };
  /** Asks a verifier's free stake back, which matures after a delay; the node itself sends it */
  "stake.unbond": { params: {
      amount: string;
    }; result: Sent };
  /** Takes free stake, or a verifier's that has matured, into the wallet; the node itself sends it */
  "stake.withdraw": { params: {
      amount?: string | null;
    }; result: Sent };
  /** What the worker does now: loss, steps a second, and the time left beside the round's deadline */
  "training.get": { params: Record<string, never>; result: Training };
  /** Transactions of this node's wallet, the newest first */
  "transactions.list": { params: {
      limit?: number;
      cursor?: string | null;
    }; result: TransactionPage };
  /** As a set's curator: lets a proposer open rounds with it, or no longer; the node itself sends it */
  "verifiers.admit": { params: {
      set: number;
      proposer: string;
      admitted?: boolean;
    }; result: Admission };
  /** Registers a set of verifiers, whose curator is this wallet; the node itself sends it */
  "verifiers.create": { params: {
      members: (string)[];
      threshold: number;
      cap?: string | null;
      max_hold?: number | null;
    }; result: CreatedSet };
  /** Consents to this wallet's seat in a set, its cap and its longest hold; the node itself sends it */
  "verifiers.join": { params: {
      set: number;
    }; result: JoinedSet };
  /** Gives this wallet's seat in a set up: no new round can use it; the node itself sends it */
  "verifiers.leave": { params: {
      set: number;
    }; result: LeftSet };
  /** What this node's wallet holds, as an endpoint of the chain told within the last 15 s */
  "wallet.account": { params: Record<string, never>; result: Account };
  /** What a transaction of this wallet costs at most, as an endpoint told within the last 15 s */
  "wallet.fee": { params: Record<string, never>; result: Fee };
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
