/** What a node said of its end, with what to do, by its exit code. */
const REMEDIES: Record<number, string> = {
  0: "",
  16: "Make room on its disk (`df -h`), or lower `node.storage_gb`; then start it anew.",
};

export function farewell(code: number, why: string): string {
  const said = why.charAt(0).toUpperCase() + why.slice(1).replace(/[.\s]+$/, "");
  return [said === "" ? "" : `${said}.`, REMEDIES[code] ?? "The end of its log says more."].filter((item) => item !== "").join(" ");
}
