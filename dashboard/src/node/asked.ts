/** Answers for one part of a page: asked when it appears and at every change, paged by the node. */
import { useEffect, useState } from "preact/hooks";
import type { Name, Params, Result } from "./rpc";
import { CallError } from "./rpc";
import { ask, changes } from "./watching";

export interface Asked<T> {
  value: T | null;
  error: CallError | null;
}

/** Asked again whenever `version` is another; `value` keeps the last answer while a newer one is awaited. */
export function useAsked<M extends Name>(method: M, params: Params<M>, version: unknown = changes.value): Asked<Result<M>> {
  const [found, setFound] = useState<Asked<Result<M>>>({ value: null, error: null });
  const key = JSON.stringify(params);
  useEffect(() => {
    let wanted = true;
    ask(method, params).then(
      (value) => wanted && setFound({ value, error: null }),
      (error: unknown) =>
        wanted &&
        setFound((before) => ({
          value: error instanceof CallError && error.kind === "declined" ? null : before.value,
          error: error instanceof CallError ? error : new CallError("unreachable", String(error)),
        })),
    );
    return () => {
      wanted = false;
    };
  }, [method, key, version]);
  return found;
}

export interface Paging {
  cursor: string | null;
  /** Number of the page, from 1. */
  page: number;
  forward(next: string): void;
  back(): void;
}

/** Cursors of the pages before the one that is shown. `of`: whatever, when it changes, begins anew. */
export function usePaging(of: string): Paging {
  const [held, setHeld] = useState<{ of: string; cursors: readonly string[] }>({ of, cursors: [] });
  const cursors = held.of === of ? held.cursors : [];
  return {
    cursor: cursors.at(-1) ?? null,
    page: cursors.length + 1,
    forward: (next) => setHeld({ of, cursors: [...cursors, next] }),
    back: () => setHeld({ of, cursors: cursors.slice(0, -1) }),
  };
}
