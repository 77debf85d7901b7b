/** A time: local, with UTC beside or behind it; and how long until one. */
import { now, tick } from "../node/clock";
import { link } from "../node/watching";
import { clock, distance, iso, remaining, stamp } from "../words/times";

export function Moment({ at, both = false }: { at: number; both?: boolean }) {
  return (
    <time dateTime={iso(at)} title={`${clock(at, 0)} local, ${iso(at)}`}>
      {clock(at, tick.value)}
      {both && <span class="muted"> · {clock(at, tick.value, "UTC")} UTC</span>}
    </time>
  );
}

/** With its date, whatever day it is: for lists that are read later. */
export function Dated({ at }: { at: number }) {
  return (
    <time dateTime={iso(at)} title={iso(at)}>
      {stamp(at)}
    </time>
  );
}

/** Counts down by itself, each second. */
export function Countdown({ to }: { to: number }) {
  return <>{remaining(to - now.value, link.value.state === "lost")}</>;
}

export function Ago({ at }: { at: number }) {
  return <>{distance(at, tick.value)}</>;
}
