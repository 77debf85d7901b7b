/** Addresses, digests and peer ids: their two ends, which people compare. */
export function shortened(text: string): string {
  if (/^0x[0-9a-fA-F]{12,}$/.test(text)) return `${text.slice(0, 6)}…${text.slice(-4)}`;
  return text.length > 16 ? `${text.slice(0, 6)}…${text.slice(-6)}` : text;
}

export function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
