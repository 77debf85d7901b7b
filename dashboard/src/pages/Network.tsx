/** Who is connected, who is refused, and what came and went. */
import { useMemo } from "preact/hooks";
import type { BannedPeer, Bytes, ConnectedPeer, Fetched, Source, Transfer } from "../../../docs/rpc";
import { useAsked, usePaging } from "../node/asked";
import { tick } from "../node/clock";
import { link, status } from "../node/watching";
import { Copied } from "../parts/Copied";
import { Listing, type Column } from "../parts/Listing";
import { Ago, Moment } from "../parts/Moment";
import { Card, Facts, Problem, Waiting } from "../parts/Notice";
import { Tag } from "../parts/Tag";
import { fileName } from "../words/files";
import { partNames } from "../words/parts";
import { came, rate, served, took, type Served } from "../words/rates";
import { bytes, count, figure } from "../words/sizes";
import { shortened } from "../words/shortened";
import { span } from "../words/times";

/** `sent`: what each of them sent, of the newest downloads. */
const connected = (sent: ReadonlyMap<string, Served>): readonly Column<ConnectedPeer>[] => [
  { head: "Peer", cell: (item) => <Copied text={item.peer} what="peer" /> },
  { head: "Wallet", cell: (item) => (item.wallet === null ? <span class="muted">said nothing yet</span> : <Copied text={item.wallet} what="wallet" />) },
  { head: "Is", cell: (item) => partNames(item.parts) || <span class="muted">–</span> },
  { head: "Heard", cell: (item) => (item.heard === null ? <span class="muted">–</span> : <Ago at={item.heard} />), number: true },
  { head: "Address", cell: (item) => <span class="mono">{item.address}</span> },
  { head: "Dialled by", cell: (item) => (item.outbound ? "this node" : "the peer") },
  { head: "Answers in", cell: (item) => (item.latency_ms === null ? <span class="muted">not measured</span> : `${figure(item.latency_ms)} ms`), number: true },
  { head: "Serves at", cell: (item) => <ServedAt served={sent.get(item.peer)} />, number: true },
  { head: "Gossip", cell: (item) => <Tag tone={item.gossiping ? "good" : "plain"}>{item.gossiping ? "In the mesh" : "No"}</Tag> },
];

/** `told`: when the node said for how long it still refuses them, Unix seconds. */
const banned = (told: number): readonly Column<BannedPeer>[] => [
  { head: "Peer", cell: (item) => <Copied text={item.peer} what="peer" /> },
  { head: "Why", cell: (item) => item.reason },
  { head: "Until", cell: (item) => <Moment at={told + item.seconds} />, number: true },
  { head: "For another", cell: (item) => span(told + item.seconds - tick.value), number: true },
  { head: "Bans so far", cell: (item) => item.times, number: true },
];

const COMING: readonly Column<Transfer>[] = [
  { head: "File", cell: (item) => <File item={item} /> },
  { head: "From", cell: (item) => <Sources of={item.sources} /> },
  { head: "Progress", cell: (item) => <progress max={Math.max(1, item.total)} value={item.done} aria-label={`Fetched of ${shortened(item.cid)}`} /> },
  { head: "Here", cell: (item) => (item.total > 0 ? `${bytes(item.done)} of ${bytes(item.total)}` : "size not known yet"), number: true },
  { head: "Since", cell: (item) => span(item.seconds), number: true },
  { head: "Rate", cell: (item) => rate(came(item), item.seconds) ?? "–", number: true },
];

const FETCHED: readonly Column<Fetched>[] = [
  { head: "File", cell: (item) => <File item={item} /> },
  {
    head: "From",
    cell: (item) => (item.failure === null ? <Sources of={item.sources} seconds={item.seconds} /> : <><Tag tone="bad">Failed</Tag> <span class="muted">{item.failure}</span></>),
  },
  { head: "Size", cell: (item) => bytes(item.bytes), number: true },
  { head: "Took", cell: (item) => took(item.seconds), number: true },
  { head: "Rate", cell: (item) => rate(came(item), item.seconds) ?? "–", number: true },
  { head: "Ended", cell: (item) => <Ago at={item.ended} />, number: true },
];

function File({ item }: { item: { kind: string; cid: string } }) {
  return <>{fileName(item.kind)} <Copied text={item.cid} what="file" /></>;
}

/** Who sends a file, with the bytes of each where they are several, and the rate of each once it is over. */
function Sources({ of, seconds = 0 }: { of: readonly Source[]; seconds?: number }) {
  if (of.length === 0) return <span class="muted">nobody yet</span>;
  return (
    <>
      {of.map((item) => (
        <div key={item.peer}>
          <Copied text={item.peer} what="peer" />
          {of.length > 1 && <span class="muted"> {[bytes(item.bytes), rate(item.bytes, seconds)].filter((part) => part !== null).join(", ")}</span>}
        </div>
      ))}
    </>
  );
}

function ServedAt({ served: sent }: { served: Served | undefined }) {
  if (sent === undefined) return <span class="muted" title="It sent none of the newest 50 downloads">–</span>;
  return (
    <span class="block" title={`${bytes(sent.bytes)} in ${count(sent.files, "file")} within ${took(sent.seconds)}, of the newest 50 downloads`}>
      {rate(sent.bytes, sent.seconds) ?? "–"}
    </span>
  );
}

type Row = readonly [string, Bytes];
const TRAFFIC: readonly Column<Row>[] = [
  { head: "What", cell: ([name]) => name },
  { head: "Received", cell: ([, item]) => bytes(item.received), number: true },
  { head: "Sent", cell: ([, item]) => bytes(item.sent), number: true },
];

export function Network() {
  const paging = usePaging("");
  const peers = useAsked("peers.list", { limit: 50, cursor: paging.cursor });
  const banPaging = usePaging("");
  const refused = useAsked("peers.banned", { limit: 50, cursor: banPaging.cursor }, link.value.heard);
  const toldAt = useMemo(() => Math.floor(Date.now() / 1000), [refused.value]);
  const transfers = useAsked("blobs.transfers", { limit: 50 }, link.value.heard);
  const fetched = useAsked("blobs.fetched", {}, link.value.heard);
  const told = status.value;
  return (
    <>
      <h1>Network</h1>
      {told === null ? (
        <Waiting />
      ) : (
        <div class="cards">
          <Card title="Peers" aside={`${count(told.peers, "peer")} connected`} wide>
            <Listing
              label="Peers"
              columns={connected(served(fetched.value ?? []))}
              asked={peers}
              keyOf={(item) => item.peer}
              paging={paging}
              empty="Nobody is connected. The node goes on dialling those it knows; `jepanet peer connect ADDRESS` adds one."
            />
          </Card>
          <Card title="This node">
            <Facts
              rows={[
                ["Peer id", <Copied text={told.peer} what="peer id" />],
                ["Reached at", told.addresses.length === 0 ? "no address known" : told.addresses.map((item) => <div class="mono" key={item}>{item}</div>)],
              ]}
            />
          </Card>
          <Chain />
          <Card title="Files on the way here" wide>
            <Listing
              label="Files on the way here"
              columns={COMING}
              asked={transfers}
              keyOf={(item) => item.cid}
              empty="Nothing is being fetched. Models, deltas and shards appear here while they come."
            />
          </Card>
          <Card title="Who served what" aside="the newest downloads since the start" wide>
            <Listing
              label="Downloads that have ended"
              columns={FETCHED}
              asked={{ value: fetched.value === null ? null : { items: fetched.value, next: null }, error: fetched.error }}
              keyOf={(item) => `${item.cid} ${item.ended}`}
              empty="Nothing was fetched since the node was started. Whoever served a model, a delta or a shard appears here."
            />
          </Card>
          <Card title="Bytes since the start" wide>
            <Listing
              label="Bytes since the start"
              columns={TRAFFIC}
              asked={{ value: { items: rows(told.traffic), next: null }, error: null }}
              keyOf={([name]) => name}
              empty="Nothing yet."
            />
          </Card>
          <Card title="Refused peers" wide>
            <Listing
              label="Refused peers"
              columns={banned(toldAt)}
              asked={refused}
              keyOf={(item) => item.peer}
              paging={banPaging}
              empty="Nobody is refused. A peer that breaks the rules appears here, with the reason."
            />
          </Card>
        </div>
      )}
    </>
  );
}

/** Which chain and contracts the node follows, and over which endpoints. */
function Chain() {
  const { value, error } = useAsked("chain.status", {});
  return (
    <Card title="Chain">
      {value === null ? (
        error === null ? <Waiting /> : <Problem error={error} />
      ) : (
        <Facts
          rows={[
            ["Chain id", String(value.chain_id)],
            ["Acted on", `blocks with ${count(value.confirmations, "confirmation")}`],
            ["Endpoints", value.endpoints.map((item) => <div key={item}>{item}</div>)],
            ["Rounds", <Copied text={value.rounds} what="contract of rounds" />],
            ["Lens", <Copied text={value.lens} what="contract that is read" />],
            ["Token", <Copied text={value.token} what="token" />],
          ]}
        />
      )}
    </Card>
  );
}

function rows(traffic: { blobs: Record<string, Bytes>; gossip: Bytes; endpoints: Record<string, Bytes> }): Row[] {
  const moved = Object.entries(traffic.blobs).filter(([, item]) => item.received + item.sent > 0);
  const files = moved.map(([name, item]) => [`files: ${name}`, item] as const);
  const chain = Object.entries(traffic.endpoints).map(([name, item]) => [`chain: ${name}`, item] as const);
  return [["gossip", traffic.gossip], ...files, ...chain];
}
