/** How fast files came: bytes, seconds and megabytes a second. */
import { span } from "./times";

interface Download {
  seconds: number;
  failure?: string | null;
  sources: readonly { peer: string; bytes: number }[];
}

/** `0.042 s`, `4.2 s`, from ten seconds on as any other length of time. */
export function took(seconds: number): string {
  if (seconds >= 10) return span(seconds);
  return seconds > 0 ? `${seconds.toPrecision(2)} s` : "under 0.001 s";
}

/** Always in MB/s, so that two are compared at a glance; null where nothing came, or within no time. */
export function rate(bytes: number, seconds: number): string | null {
  if (bytes <= 0 || seconds <= 0) return null;
  const value = bytes / 1e6 / seconds;
  if (value < 0.001) return "< 0.001 MB/s";
  return `${value >= 99.5 ? Math.round(value).toLocaleString("en-GB") : value.toPrecision(2)} MB/s`;
}

/** Bytes that peers sent, without what lay here from an attempt before. */
export function came(item: Download): number {
  return item.sources.reduce((sum, source) => sum + source.bytes, 0);
}

export interface Served {
  files: number;
  bytes: number;
  seconds: number;
}

/** By peer, of downloads that came to an end: what it sent, and how long those took in all. A file that several
 * sent at once counts whole for each, so that a peer is at least so fast. */
export function served(ended: readonly Download[]): ReadonlyMap<string, Served> {
  const found = new Map<string, Served>();
  for (const item of ended) {
    if (item.failure != null) continue;
    for (const { peer, bytes } of item.sources) {
      const before = found.get(peer) ?? { files: 0, bytes: 0, seconds: 0 };
      found.set(peer, { files: before.files + 1, bytes: before.bytes + bytes, seconds: before.seconds + item.seconds });
    }
  }
  return found;
}
