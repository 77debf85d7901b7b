/** Stake that is locked, until when and why; and whether there is enough for the next round. */
import type { Account, NodeStatus } from "../../../../docs/rpc";
import { useAsked } from "../../node/asked";
import { now } from "../../node/clock";
import { link, rewards, rounds, schedules } from "../../node/watching";
import { Card, Facts } from "../../parts/Notice";
import { inTokens } from "../../words/amounts";
import { bondEnough, gasEnough, lockedUntil, type Enough } from "../../words/means";

export function Means({ holds, told }: { holds: Account; told: NodeStatus }) {
  const fee = useAsked("wallet.fee", {}, link.value.heard).value;
  const locked = lockedUntil(holds, told, schedules.value, rewards.value ?? [], now.value);
  return (
    <Card title="Stake and the next round" wide>
      <Facts
        rows={[
          ["Locked", inTokens(holds.stake_locked)],
          ["Locked until", locked.map((item) => <div key={item}>{item}</div>)],
          ["Next bond", <Told of={bondEnough(holds, told.roles, rounds.value?.[0])} />],
          ["Gas", <Told of={gasEnough(holds, fee)} />],
        ]}
      />
    </Card>
  );
}

function Told({ of }: { of: Enough }) {
  return of.tone === "warn" ? <strong>{of.text}</strong> : <>{of.text}</>;
}
