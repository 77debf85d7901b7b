/** What a file is, in words, by the kinds that a node counts its traffic by; a test of the node holds them to it. */
const KINDS: Record<string, string> = {
  model: "Model",
  update: "Update of a model",
  remainder: "Remainder of an update",
  delta: "Delta",
  shard: "Shard",
  document: "Document",
  other: "File",
};

export function fileName(kind: string): string {
  return KINDS[kind] ?? kind;
}
