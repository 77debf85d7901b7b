/** Calls of the JSON-RPC of a node or an observer, typed by what these say of themselves (docs/rpc.d.ts and
 * docs/rpc-observer.d.ts). */
import type { Methods as OfNode } from "../../../docs/rpc";
import type { Methods as OfObserver } from "../../../docs/rpc-observer";
import { Whom } from "./serves";

type Methods = OfNode & Omit<OfObserver, keyof OfNode>;
export type Name = keyof Methods;
export type Params<M extends Name> = Methods[M]["params"];
export type Result<M extends Name> = Methods[M]["result"];
export type Call = { [M in Name]: { method: M; params: Params<M> } }[Name];

/** What a call came to nothing for. `kind`: nobody answered, the token is not known, or the node said no. */
export class CallError extends Error {
  constructor(
    readonly kind: "unreachable" | "unauthorized" | "declined",
    message: string,
    readonly code: number | null = null,
    readonly detail: string | null = null,
    readonly incident: string | null = null,
  ) {
    super(message);
  }
}

export const OUT_OF_SCOPE = -32002;
export const NOT_HERE_NOW = -32009;
const WAIT_MS = 12_000;
/** Calls in one request: fewer than a server takes, unless its operator said so (`rpc.max_batch`). */
const AT_ONCE = 10;

interface Answer {
  id: number;
  result?: unknown;
  error?: { code: number; message: string; data?: { detail?: string; incident?: string } };
}

async function post(token: string, body: unknown): Promise<unknown> {
  let answer: Response;
  try {
    answer = await fetch("/", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(WAIT_MS),
    });
  } catch {
    throw new CallError("unreachable", `${Whom.value} does not answer`);
  }
  if (answer.status === 401) throw new CallError("unauthorized", `${Whom.value} does not know this token`);
  if (answer.status === 503) throw new CallError("unreachable", "Every connection is at work");
  try {
    return await answer.json();
  } catch {
    throw new CallError("unreachable", "What answers at this address is not jepanet");
  }
}

function told(answer: Answer): unknown {
  if (answer.error === undefined) return answer.result;
  const { code, message, data } = answer.error;
  return new CallError("declined", message, code, data?.detail ?? null, data?.incident ?? null);
}

export async function call<M extends Name>(token: string, method: M, params: Params<M>): Promise<Result<M>> {
  const found = told((await post(token, { jsonrpc: "2.0", id: 1, method, params })) as Answer);
  if (found instanceof CallError) throw found;
  return found as Result<M>;
}

/** Several calls in as few requests as can be, each with its result or the error it was declined with. */
export async function callAll<const C extends readonly Call[]>(
  token: string,
  calls: C,
): Promise<{ [I in keyof C]: Result<C[I]["method"]> | CallError }> {
  const body = calls.map((item, id) => ({ jsonrpc: "2.0", id, method: item.method, params: item.params }));
  const found = new Map<number, unknown>();
  for (let at = 0; at < body.length; at += AT_ONCE) {
    const answers = await post(token, body.slice(at, at + AT_ONCE));
    if (!Array.isArray(answers)) throw told(answers as Answer);
    for (const item of answers as Answer[]) found.set(item.id, told(item));
  }
  return calls.map((_, id) => found.get(id)) as { [I in keyof C]: Result<C[I]["method"]> | CallError };
}
