// Written by scripts/write_rpc_reference from what a node answers to rpc.discover.
// Needs no package: `fetch`, as browsers and Node.js have it.

import type * as rpc from "./rpc";

/** The node answered with an error: `code` is one of those in docs/rpc.md. */
export class Declined extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly detail?: string,
  ) {
    super(detail === undefined ? message : `${message}: ${detail}`);
  }
}

/** Calls the methods of one node. `url`: where it listens; `token`: what a file of its folder holds. */
export class NodeClient {
  #last = 0;

  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  /** Any method by its name. Throws: Declined; or as `fetch`, where nobody answers. */
  async call<M extends keyof rpc.Methods>(
    method: M,
    params: rpc.Methods[M]["params"],
  ): Promise<rpc.Methods[M]["result"]> {
    const id = ++this.#last;
    const answer = await fetch(this.url, {
      method: "POST",
      redirect: "error",
      headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", method, params, id }),
    });
    const told = await answer.json();
    if (told.error) throw new Declined(told.error.code, told.error.message, told.error.data?.detail);
    if (told.id !== id || !("result" in told)) throw new Error("what answered is no JSON-RPC");
    return told.result;
  }

  /** The newest 50 downloads that have ended, the newest first, and which peers sent them */
  blobsFetched(params: rpc.Methods["blobs.fetched"]["params"] = {}) {
    return this.call("blobs.fetched", params);
  }

  /** Stored files that are served to everybody */
  blobsList(params: rpc.Methods["blobs.list"]["params"] = {}) {
    return this.call("blobs.list", params);
  }

  /** Downloads that are under way, with their progress */
  blobsTransfers(params: rpc.Methods["blobs.transfers"]["params"] = {}) {
    return this.call("blobs.transfers", params);
  }

  /** Reads everything from a block on again, each block proven; duties wait until that is done */
  chainRescan(params: rpc.Methods["chain.rescan"]["params"]) {
    return this.call("chain.rescan", params);
  }

  /** The chain, its contracts, and how far the node has read it */
  chainStatus(params: rpc.Methods["chain.status"]["params"] = {}) {
    return this.call("chain.status", params);
  }

  /** The node's configuration, defaults included; what may be a secret is hidden */
  configShow(params: rpc.Methods["config.show"]["params"] = {}) {
    return this.call("config.show", params);
  }

  /** A code that the dashboard exchanges for the token of scope `read`, once and soon */
  dashboardInvite(params: rpc.Methods["dashboard.invite"]["params"] = {}) {
    return this.call("dashboard.invite", params);
  }

  /** The same for the token of scope `operate` */
  dashboardInviteOperator(params: rpc.Methods["dashboard.invite_operator"]["params"] = {}) {
    return this.call("dashboard.invite_operator", params);
  }

  /** True, to a token of scope `operate`: by which the page knows what it may offer */
  dashboardOperates(params: rpc.Methods["dashboard.operates"]["params"] = {}) {
    return this.call("dashboard.operates", params);
  }

  /** Whom the dashboard is of: a `node` or an `observer` */
  dashboardServes(params: rpc.Methods["dashboard.serves"]["params"] = {}) {
    return this.call("dashboard.serves", params);
  }

  /** Deltas that were revealed in a round, and which are stored here */
  deltasList(params: rpc.Methods["deltas.list"]["params"]) {
    return this.call("deltas.list", params);
  }

  /** The newest 2,000 lines of the node's log, the newest first; without tracebacks */
  logsList(params: rpc.Methods["logs.list"]["params"] = {}) {
    return this.call("logs.list", params);
  }

  /** Pauses every role; once no round needs the node it can be stopped without a loss */
  nodeDrain(params: rpc.Methods["node.drain"]["params"] = {}) {
    return this.call("node.drain", params);
  }

  /** Whether the node is healthy and ready, and if not, why */
  nodeHealth(params: rpc.Methods["node.health"]["params"] = {}) {
    return this.call("node.health", params);
  }

  /** Begins nothing new for a role, also after a restart; what is owed is still done */
  nodePause(params: rpc.Methods["node.pause"]["params"]) {
    return this.call("node.pause", params);
  }

  /** Ends the pause of a role */
  nodeResume(params: rpc.Methods["node.resume"]["params"]) {
    return this.call("node.resume", params);
  }

  /** Which roles are paused, and which rounds still need the node */
  nodeStanding(params: rpc.Methods["node.standing"]["params"] = {}) {
    return this.call("node.standing", params);
  }

  /** What `jepanet status` shows: peers, chain position, training, rounds, bytes and open duties */
  nodeStatus(params: rpc.Methods["node.status"]["params"] = {}) {
    return this.call("node.status", params);
  }

  /** Closes a peer's connections and refuses it for an hour, doubled with each ban */
  peersBan(params: rpc.Methods["peers.ban"]["params"]) {
    return this.call("peers.ban", params);
  }

  /** Peers that are refused, why and for how long */
  peersBanned(params: rpc.Methods["peers.banned"]["params"] = {}) {
    return this.call("peers.banned", params);
  }

  /** Connects to a peer and remembers its address */
  peersConnect(params: rpc.Methods["peers.connect"]["params"]) {
    return this.call("peers.connect", params);
  }

  /** Peers that are connected */
  peersList(params: rpc.Methods["peers.list"]["params"] = {}) {
    return this.call("peers.list", params);
  }

  /** One project: its verifiers, and the terms of its newest round in words and field by field */
  projectsGet(params: rpc.Methods["projects.get"]["params"]) {
    return this.call("projects.get", params);
  }

  /** Every project of the deployment */
  projectsList(params: rpc.Methods["projects.list"]["params"] = {}) {
    return this.call("projects.list", params);
  }

  /** One solver's receipt: what was measured, what became of the delta, what it earned and why */
  receiptsGet(params: rpc.Methods["receipts.get"]["params"]) {
    return this.call("receipts.get", params);
  }

  /** What each solver of a round earned */
  receiptsList(params: rpc.Methods["receipts.list"]["params"]) {
    return this.call("receipts.list", params);
  }

  /** Tries the claim of an ended round now, also one given up; the node itself sends it */
  rewardsClaim(params: rpc.Methods["rewards.claim"]["params"]) {
    return this.call("rewards.claim", params);
  }

  /** What recorded results grant this wallet, the newest round first */
  rewardsList(params: rpc.Methods["rewards.list"]["params"] = {}) {
    return this.call("rewards.list", params);
  }

  /** Who committed to what in a round, in order, and what was revealed */
  roundsCommitments(params: rpc.Methods["rounds.commitments"]["params"]) {
    return this.call("rounds.commitments", params);
  }

  /** One round, with the figures of its score sheet */
  roundsGet(params: rpc.Methods["rounds.get"]["params"]) {
    return this.call("rounds.get", params);
  }

  /** Rounds, the newest first */
  roundsList(params: rpc.Methods["rounds.list"]["params"] = {}) {
    return this.call("rounds.list", params);
  }

  /** When the phases of a round end */
  roundsSchedule(params: rpc.Methods["rounds.schedule"]["params"]) {
    return this.call("rounds.schedule", params);
  }

  /** This document */
  rpcDiscover(params: rpc.Methods["rpc.discover"]["params"] = {}) {
    return this.call("rpc.discover", params);
  }

  /** What one coordinator measured of each delta of a round */
  scoresGet(params: rpc.Methods["scores.get"]["params"]) {
    return this.call("scores.get", params);
  }

  /** Which coordinators' scores of a round have arrived */
  scoresList(params: rpc.Methods["scores.list"]["params"]) {
    return this.call("scores.list", params);
  }

  /** Who scores a round: whose scores have arrived, and who is connected */
  scoresVerifiers(params: rpc.Methods["scores.verifiers"]["params"]) {
    return this.call("scores.verifiers", params);
  }

  /** Takes what an account owes out of its stake, a tenth for this wallet; the node itself sends it */
  stakeCollect(params: rpc.Methods["stake.collect"]["params"] = {}) {
    return this.call("stake.collect", params);
  }

  /** Puts tokens of the wallet up as stake; the node itself sends it */
  stakeDeposit(params: rpc.Methods["stake.deposit"]["params"]) {
    return this.call("stake.deposit", params);
  }

  /** Asks a verifier's free stake back, which matures after a delay; the node itself sends it */
  stakeUnbond(params: rpc.Methods["stake.unbond"]["params"]) {
    return this.call("stake.unbond", params);
  }

  /** Takes free stake, or a verifier's that has matured, into the wallet; the node itself sends it */
  stakeWithdraw(params: rpc.Methods["stake.withdraw"]["params"] = {}) {
    return this.call("stake.withdraw", params);
  }

  /** What the worker does now: loss, steps a second, and the time left beside the round's deadline */
  trainingGet(params: rpc.Methods["training.get"]["params"] = {}) {
    return this.call("training.get", params);
  }

  /** Transactions of this node's wallet, the newest first */
  transactionsList(params: rpc.Methods["transactions.list"]["params"] = {}) {
    return this.call("transactions.list", params);
  }

  /** As a set's curator: lets a proposer open rounds with it, or no longer; the node itself sends it */
  verifiersAdmit(params: rpc.Methods["verifiers.admit"]["params"]) {
    return this.call("verifiers.admit", params);
  }

  /** Registers a set of verifiers, whose curator is this wallet; the node itself sends it */
  verifiersCreate(params: rpc.Methods["verifiers.create"]["params"]) {
    return this.call("verifiers.create", params);
  }

  /** Consents to this wallet's seat in a set, its cap and its longest hold; the node itself sends it */
  verifiersJoin(params: rpc.Methods["verifiers.join"]["params"]) {
    return this.call("verifiers.join", params);
  }

  /** Gives this wallet's seat in a set up: no new round can use it; the node itself sends it */
  verifiersLeave(params: rpc.Methods["verifiers.leave"]["params"]) {
    return this.call("verifiers.leave", params);
  }

  /** What this node's wallet holds, as an endpoint of the chain told within the last 15 s */
  walletAccount(params: rpc.Methods["wallet.account"]["params"] = {}) {
    return this.call("wallet.account", params);
  }

  /** What a transaction of this wallet costs at most, as an endpoint told within the last 15 s */
  walletFee(params: rpc.Methods["wallet.fee"]["params"] = {}) {
    return this.call("wallet.fee", params);
  }
}
