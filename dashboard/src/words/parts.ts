/** What a wallet is in projects and rounds, in words, by the names that the node gives; a test of the node holds them to it. */
const PARTS: Record<string, string> = {
  proposer: "Proposer",
  solver: "Solver",
  coordinator: "Coordinator",
  aggregator: "Aggregator",
};

export function partNames(parts: readonly string[]): string {
  return parts.map((part) => PARTS[part] ?? part).join(", ");
}
