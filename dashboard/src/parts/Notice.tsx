/** What is said where there is nothing to show, or something to do. */
import type { ComponentChildren } from "preact";
import type { CallError } from "../node/rpc";
import { NOT_HERE_NOW } from "../node/rpc";
import { Whom, whom } from "../node/serves";
import type { Worry } from "../words/worry";

export function Waiting() {
  return (
    <p class="waiting" role="status">
      Asking {whom.value} …
    </p>
  );
}

export function Problem({ error }: { error: CallError }) {
  if (error.kind !== "declined") {
    return <p class="empty">{Whom.value} does not answer; this is shown when it does.</p>;
  }
  return (
    <p class="empty">
      {error.code === NOT_HERE_NOW ? "Not here yet: " : `${Whom.value} declined: `}
      {error.detail ?? error.message}.
      {error.incident !== null && (
        <>
          {" "}
          Its log has the cause under <code>{error.incident}</code>.
        </>
      )}
    </p>
  );
}

/** A sentence in which commands stand in backquotes. */
export function Prose({ text }: { text: string }) {
  return <>{text.split("`").map((part, place) => (place % 2 === 1 ? <code key={place}>{part}</code> : part))}</>;
}

export function Worries({ found }: { found: readonly Worry[] }) {
  return (
    <ul class="worries">
      {found.map((worry) => (
        <li class={worry.tone} key={worry.what}>
          <strong>{worry.what}</strong>
          <p>
            <Prose text={worry.remedy} />
          </p>
        </li>
      ))}
    </ul>
  );
}

export function Card({ title, aside, children, wide }: { title: string; aside?: ComponentChildren; children: ComponentChildren; wide?: boolean }) {
  return (
    <section class={wide ? "card wide" : "card"}>
      <header>
        <h2>{title}</h2>
        {aside !== undefined && <span class="aside">{aside}</span>}
      </header>
      {children}
    </section>
  );
}

/** `figures`: each name above its value, several beside each other. */
export function Facts({ rows, figures }: { rows: readonly (readonly [string, ComponentChildren])[]; figures?: boolean }) {
  return (
    <dl class={figures ? "figures" : "facts"}>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
