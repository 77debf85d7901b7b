/** Times and lengths of time, local and UTC. Everything comes in seconds of Unix. */
const DAY = 86_400;

const two = (value: number): string => String(value).padStart(2, "0");

/** `1 h 04 min`, `4 min 09 s`, `9 s`: the two largest units. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [Math.floor(whole / DAY), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days > 0) return `${days} d ${two(hours)} h`;
  if (hours > 0) return `${hours} h ${two(minutes)} min`;
  if (minutes > 0) return `${minutes} min ${two(whole % 60)} s`;
  return `${whole} s`;
}

/** `14:02:11`, of another day than `today` with its date in front. `zone`: undefined for this computer's. */
export function clock(at: number, today: number, zone?: string): string {
  const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: zone });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: zone });
  const date = day.format(at * 1000);
  const shown = time.format(at * 1000);
  return date === day.format(today * 1000) ? shown : `${date}, ${shown}`;
}

export function iso(at: number): string {
  return new Date(at * 1000).toISOString().replace(".000", "");
}

/** What is left until a deadline. `lost`: nobody says what happened at it. */
export function remaining(seconds: number, lost: boolean): string {
  if (seconds > 0) return span(seconds);
  return lost ? "over by the clock" : "any moment";
}

/** `just now`, `12 s ago`, `in 3 min 20 s`. */
export function distance(at: number, now: number): string {
  const seconds = at - now;
  if (Math.abs(seconds) < 2) return "just now";
  return seconds > 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`;
}

/** With its date, whatever day it is. */
export function stamp(at: number, zone?: string): string {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: zone }).format(at * 1000);
}

/** The zone in which times are shown, as `GMT+9`. */
export function zoneName(at: number, zone?: string): string {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short", timeZone: zone }).formatToParts(at * 1000);
  return parts.find((item) => item.type === "timeZoneName")?.value ?? "local";
}

/** Marks of an axis: times of the day, with seconds where marks lie less than a minute apart, or days where they
 * lie a day or more apart. */
export function axisTimes(marks: readonly number[], zone?: string): string[] {
  const apart = marks.length > 1 ? marks[1]! - marks[0]! : DAY;
  const form = new Intl.DateTimeFormat(
    "en-GB",
    apart >= DAY
      ? { day: "numeric", month: "short", timeZone: zone }
      : { hour: "2-digit", minute: "2-digit", ...(apart < 60 ? { second: "2-digit" } : {}), timeZone: zone },
  );
  return marks.map((mark) => form.format(mark * 1000));
}
