/** Gains with their standard errors, from micro-nats. */
export interface Gain {
  value: string;
  error: string;
  unit: "mnat";
}

const SIZE = 1000;

/** Always in mnat, so that any two on the page compare; as many digits as two of the error's leave standing. */
export function gain(microNats: number, stderr: number): Gain {
  const error = stderr / SIZE;
  const places = error > 0 ? Math.min(3, Math.max(0, 1 - Math.floor(Math.log10(error)))) : 2;
  return { value: signed(microNats / SIZE, places), error: error.toFixed(places), unit: "mnat" };
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
