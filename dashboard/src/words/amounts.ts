/** Amounts of tokens: decimal texts of 10**-18, shown without ever rounding up. */
const DECIMALS = 18;

/** `"19000000000000000000"` as `19`; with `places` digits after the point at most, and what was cut is cut. */
export function tokens(wei: string, places = 4): string {
  const negative = wei.startsWith("-");
  const digits = wei.replace(/^-/, "").padStart(DECIMALS + 1, "0");
  const whole = digits.slice(0, -DECIMALS).replace(/^0+(?=\d)/, "");
  const fraction = digits.slice(-DECIMALS);
  const cut = fraction.slice(0, places).replace(/0+$/, "");
  const something = /[1-9]/.test(fraction);
  if (whole === "0" && cut === "" && something) {
    return `${negative ? "−" : ""}< ${places > 0 ? `0.${"0".repeat(places - 1)}1` : "1"}`;
  }
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return `${negative ? "−" : ""}${grouped}${cut ? `.${cut}` : ""}`;
}

/** With its unit. */
export function inTokens(wei: string, places = 4): string {
  const shown = tokens(wei, places);
  return `${shown} ${shown === "1" ? "token" : "tokens"}`;
}

export function sum(amounts: readonly (string | null | undefined)[]): string {
  return amounts.reduce((total, item) => total + BigInt(item ?? 0), 0n).toString();
}

/** As a number of tokens, for the axis of a picture and nothing else. */
export function plotted(wei: string): number {
  return Number(BigInt(wei) / 10n ** 12n) / 1e6;
}
