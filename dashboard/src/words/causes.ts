/** Why a node is not well, by the cause that it names, each with what to do. */
import type { Worry } from "./worry";

export const CAUSES: Record<string, Worry> = {
  "no-answer": {
    tone: "bad",
    what: "The node cannot speak for itself",
    remedy: "Its log says why, under `status.failed`. Start it anew if that does not pass.",
  },
  "chain-unread": {
    tone: "warn",
    what: "Nothing of the chain was read yet",
    remedy: "Wait a minute after a start. If it stays, check `chain.endpoints` with `jepanet node check`.",
  },
  "endpoints-silent": {
    tone: "bad",
    what: "No endpoint of the chain answers",
    remedy: "Nothing can be read or sent. Check that the endpoint runs and is reached from the node: `jepanet node check`. Add a second one to `chain.endpoints`.",
  },
  "chain-stopped": {
    tone: "bad",
    what: "No endpoint shows a new block",
    remedy: "Check that the endpoint is up and reached from here: `jepanet node check`. Add a second one to `chain.endpoints`.",
  },
  "chain-stalled": {
    tone: "bad",
    what: "Blocks come, and the node cannot follow them",
    remedy: "The log says why, under `chain.`. If it stays, start the node anew; nothing is lost.",
  },
  "events-missing": {
    tone: "warn",
    what: "Some logs of the chain are missing and are read again",
    remedy: "Wait. If it stays, another endpoint in `chain.endpoints` may serve what this one leaves out.",
  },
  "catching-up": {
    tone: "warn",
    what: "The node is still reading older blocks",
    remedy: "Wait: it acts again once it has read the newest one.",
  },
  "no-peers": {
    tone: "bad",
    what: "No peer is connected",
    remedy: "Check the firewall and `p2p.bootstrap`, or connect by hand: `jepanet peer connect ADDRESS`.",
  },
};
