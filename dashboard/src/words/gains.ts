/** Gains with their standard errors, from micro-nats. */
export interface Gain {
  value: string;
  error: string;
  unit: string;
}

const UNITS = [
  { unit: "nat", size: 1e6 },
  { unit: "mnat", size: 1e3 },
  { unit: "µnat", size: 1 },
] as const;

/** One unit for both; as many digits as two of the error's leave standing. */
export function gain(microNats: number, stderr: number): Gain {
  const largest = Math.max(Math.abs(microNats), stderr);
  const { unit, size } = UNITS.find((item) => largest >= item.size) ?? UNITS[2];
  const error = stderr / size;
  const places = size === 1 ? 0 : error > 0 ? Math.min(3, Math.max(0, 1 - Math.floor(Math.log10(error)))) : 2;
  return { value: signed(microNats / size, places), error: error.toFixed(places), unit };
}

/** With a plus or a true minus sign. */
export function signed(value: number, places: number): string {
  const text = Math.abs(value).toFixed(places);
  if (Number(text) === 0) return text;
  return `${value < 0 ? "−" : "+"}${text}`;
}

/** Where a gain and its error bar lie on a line from 0 to 100; `range`: the largest distance from zero. */
export function placed(microNats: number, stderr: number, range: number): { from: number; at: number; to: number } {
  const on = (value: number): number => Math.min(100, Math.max(0, 50 + (50 * value) / (range || 1)));
  return { from: on(microNats - stderr), at: on(microNats), to: on(microNats + stderr) };
}
