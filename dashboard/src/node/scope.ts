/** Whether this tab's token may operate: it is asked once, when a page wants to offer something that takes that. */
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { call, CallError } from "./rpc";
import { token } from "./token";

const known = signal<{ of: string; operates: boolean } | null>(null);

/** Null before the node answered. */
export function useOperates(): boolean | null {
  const held = token.value;
  const told = known.value?.of === held ? known.value : null;
  useEffect(() => {
    if (held === null || told !== null) return;
    call(held, "dashboard.operates", {}).then(
      () => (known.value = { of: held, operates: true }),
      (error: unknown) => {
        if (error instanceof CallError && error.kind === "declined") known.value = { of: held, operates: false };
      },
    );
  }, [held]);
  return told === null ? null : told.operates;
}
