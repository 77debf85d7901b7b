/** What the node tells unasked, over one WebSocket that is opened again whenever it was lost. */
import type { RoundSummary, Transaction, Work } from "../../../docs/rpc";

export interface News {
  rounds(event: RoundSummary): void;
  scores(event: { round: number; coordinator: string }): void;
  training(event: { work: Work | null }): void;
  transactions(event: Transaction): void;
  /** It was opened, or lost. */
  standing(open: boolean): void;
  /** The node ends: with which exit code, and why. */
  farewell(code: number, why: string): void;
}

const TOPICS = ["rounds", "scores", "training", "transactions"] as const;
const LONGEST_WAIT = 15_000;
/** Of RFC 6455; the node says why in the same frame. */
const GOING_AWAY = 1001;

/** Listens until the function that is returned is called. */
export function listen(token: string, news: News): () => void {
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wait = 1000;
  let ended = false;

  function open(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    // A page cannot send a header here; the server takes the token as the second subprotocol offered.
    socket = new WebSocket(`${scheme}://${location.host}/`, ["jepanet.rpc", `bearer.${token}`]);
    socket.onopen = () => {
      wait = 1000;
      TOPICS.forEach((topic, id) =>
        socket?.send(JSON.stringify({ jsonrpc: "2.0", id, method: "rpc.subscribe", params: { topic } })),
      );
      news.standing(true);
    };
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      const said = JSON.parse(data) as { method?: string; params?: { topic: (typeof TOPICS)[number]; event: never } };
      if (said.method === "rpc.event" && said.params) news[said.params.topic](said.params.event);
    };
    socket.onclose = ({ code, reason }: CloseEvent) => {
      if (ended) return;
      const said = code === GOING_AWAY ? /^(\d{1,3}): (.*)$/s.exec(reason) : null;
      if (said !== null) news.farewell(Number(said[1]), said[2]!);
      else news.standing(false);
      timer = setTimeout(open, wait);
      wait = Math.min(2 * wait, LONGEST_WAIT);
    };
  }

  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    socket?.close();
  };
}
