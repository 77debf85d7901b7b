/** Verifiers of a round in scoring who are not there, in words. */
import type { RoundSchedule, RoundVerifiers } from "../../../docs/rpc";
import { shortened } from "./shortened";
import { count } from "./sizes";
import { clock, span } from "./times";
import type { Worry } from "./worry";

/** Seconds after its newest message for which whoever is not connected may be on its way. */
const QUIET = 45;
/** Seconds of scoring before anybody is missed; of whom nothing was ever heard, it takes longer. */
const GRACE = 10;
const GRACE_UNHEARD = 60;

/** The cause of a round that was cancelled for want of a result. */
export const NO_RESULT = "no result in time";

type Presence = RoundVerifiers["verifiers"][number];

/** `here`: this computer's clock; the schedule goes by the chain's, `now`. */
export function missing(told: RoundVerifiers, schedule: RoundSchedule, now: number, here: number, zone?: string): Worry | null {
  if (schedule.phase !== "verify") return null;
  const lasts = now - schedule.reveal_end;
  const absent = told.verifiers.filter((item) => isAbsent(item, lasts, here));
  if (absent.length === 0) return null;
  const others = told.verifiers.length - absent.length;
  const short = told.threshold !== null && others < told.threshold;
  const until = clock(schedule.verify_end, now, zone);
  const ends = short
    ? `${count(told.threshold!, "coordinator")} must sign, ${others === 0 ? "none is" : `${others} ${others === 1 ? "is" : "are"}`} here. Without enough of them before ${until} the round ends without a result: nobody is paid, and bonds return to those who revealed.`
    : `The others are ${told.threshold === null ? "there" : `enough: ${told.threshold} must sign`}.`;
  return {
    tone: short ? "bad" : "warn",
    what: `Round ${schedule.round} is in scoring, and ${absent.length === 1 ? "a coordinator is" : `${absent.length} coordinators are`} not to be seen from here`,
    remedy: `${absent.slice(0, 5).map((item) => ofOne(item, here)).join("; ")}${absent.length > 5 ? "; and others" : ""}. ${ends} Whoever runs it has to start it; this node can do nothing about it.`,
  };
}

/** Of the newest round that has ended, if for want of a result: who did not score it and is still not there. */
export function stillMissing(told: RoundVerifiers, here: number): Worry | null {
  const absent = told.verifiers.filter((item) => isAbsent(item, Infinity, here));
  if (absent.length === 0) return null;
  const there = told.verifiers.length - absent.length;
  const short = told.threshold !== null && there < told.threshold;
  return {
    tone: short ? "bad" : "warn",
    what: `Round ${told.round} ended without a result, and ${absent.length === 1 ? "a coordinator that did not score it is" : `${absent.length} coordinators that did not score it are`} still not to be seen from here`,
    remedy: `${absent.slice(0, 5).map((item) => ofOne(item, here)).join("; ")}${absent.length > 5 ? "; and others" : ""}. ${short ? "The next round will end as this one did, unless they are back for its scoring." : "The others are enough for the next round."} Whoever runs it has to start it; this node can do nothing about it.`,
  };
}

function isAbsent(item: Presence, lasts: number, here: number): boolean {
  if (item.own || item.scored || item.connected) return false;
  if (item.heard === null) return lasts >= GRACE_UNHEARD;
  return lasts >= GRACE && here - item.heard >= QUIET;
}

function ofOne(item: Presence, here: number): string {
  const who = shortened(item.verifier);
  return item.heard === null
    ? `Of ${who} nothing was heard since this node was started, so it may be there all the same`
    : `${who} was heard ${span(here - item.heard)} ago, and its peer is not connected`;
}
