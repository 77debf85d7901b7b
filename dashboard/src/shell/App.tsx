/** The frame around every page: where one is, how the node stands, and what is shown. */
import { useEffect } from "preact/hooks";
import type { Health } from "../../../docs/rpc";
import { observing } from "../node/observing";
import { observed, serves } from "../node/serves";
import { token, signOut } from "../node/token";
import { now } from "../node/clock";
import { folder, link, rounds, status, health, schedules } from "../node/watching";
import { Ago } from "../parts/Moment";
import { Prose, Waiting } from "../parts/Notice";
import { Log } from "../pages/Log";
import { Network } from "../pages/Network";
import { Overview } from "../pages/Overview";
import { Rewards } from "../pages/Rewards";
import { Round } from "../pages/Round";
import { Rounds } from "../pages/Rounds";
import { Training } from "../pages/Training";
import { Fetch } from "../pages/observed/Fetch";
import { Project } from "../pages/observed/Project";
import { ProjectRounds } from "../pages/observed/ProjectRounds";
import { Provenance } from "../pages/observed/Provenance";
import { Solvers } from "../pages/observed/Solvers";
import { GONE, standingOf, titleOf } from "../words/observed";
import { farewell } from "../words/farewells";
import { gone, owed, startAgain } from "../words/owed";
import { isOver, phaseName } from "../words/phases";
import { grouped } from "../words/sizes";
import type { Tone } from "../words/verdicts";
import { OBSERVED, PAGES, pageOf, route, type PageName } from "./route";
import { SignIn } from "./SignIn";
import { choice, nextChoice } from "./theme";

const NAMES: Record<PageName, string> = {
  project: "Project",
  solvers: "Solvers",
  provenance: "Provenance",
  fetch: "Get it",
  overview: "Overview",
  rounds: "Rounds",
  training: "Training",
  network: "Network",
  rewards: "Rewards",
  log: "Log",
};

export function App() {
  if (token.value === null) return <SignIn />;
  const pages: readonly PageName[] = observed.value ? OBSERVED : PAGES;
  const { round } = route.value;
  const page = pageOf(route.value.page, pages);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        To the page
      </a>
      <header class="top">
        <span class="brand">jepanet</span>
        <nav aria-label="Pages">
          {(serves.value === null ? [] : pages).map((item) => (
            <a key={item} href={`#/${item}`} aria-current={item === page ? "page" : undefined}>
              {NAMES[item]}
            </a>
          ))}
        </nav>
        {observed.value ? <ObservedStanding /> : <Standing />}
        <span class="tools">
          <button type="button" onClick={nextChoice} title="Colours: as the system, light, dark">
            <span class="label">Colours: </span>
            {{ system: "Auto", light: "Light", dark: "Dark" }[choice.value]}
          </button>
          <button type="button" onClick={() => signOut()}>
            Sign out
          </button>
        </span>
      </header>
      <Lost />
      <main id="main" tabIndex={-1}>
        {serves.value === null ? <Waiting /> : page === "rounds" && round !== null && <Round round={round} key={round} />}
        {serves.value === "observer" && <ObservedPage page={page} />}
        {serves.value === "node" && <NodePage page={page} />}
      </main>
    </>
  );
}

function NodePage({ page }: { page: PageName }) {
  return (
    <>
      {page === "overview" && <Overview />}
      {page === "rounds" && route.value.round === null && <Rounds />}
      {page === "training" && <Training />}
      {page === "network" && <Network />}
      {page === "rewards" && <Rewards />}
      {page === "log" && <Log />}
    </>
  );
}

function ObservedPage({ page }: { page: PageName }) {
  return (
    <>
      {page === "project" && <Project />}
      {page === "rounds" && route.value.round === null && <ProjectRounds />}
      {page === "solvers" && <Solvers />}
      {page === "provenance" && <Provenance />}
      {page === "fetch" && <Fetch />}
    </>
  );
}

/** In the title of the tab for as long as this is shown. */
function useTitle(standing: { tone: Tone; word: string }): void {
  const title = titleOf(standing);
  useEffect(() => {
    document.title = title;
    return () => {
      document.title = titleOf(null);
    };
  }, [title]);
}

function nodeStanding(lost: boolean, fit: Health | null): { tone: Tone; word: string } {
  if (lost) return { tone: "bad", word: "No answer" };
  if (fit === null) return { tone: "plain", word: "Opening" };
  if (!fit.healthy) return { tone: "bad", word: "Unwell" };
  return fit.ready ? { tone: "good", word: "Well" } : { tone: "warn", word: "Not ready" };
}

/** In the bar of every page: well or not, and where the newest round is. */
function Standing() {
  const { state } = link.value;
  const { tone, word } = nodeStanding(state === "lost", health.value);
  useTitle({ tone, word });
  const running = rounds.value?.find((item) => !isOver(item.phase));
  const known = running === undefined ? undefined : schedules.value.get(running.round);
  return (
    <span class="standing" role="status">
      <span class={`dot ${tone}`} aria-hidden="true" />
      {word}
      {status.value !== null && state !== "lost" && running !== undefined && (
        <span class="muted">
          {" "}
          · round {running.round}, {phaseName(known?.phase ?? running.phase).toLowerCase()}
        </span>
      )}
    </span>
  );
}

/** The same of an observer: how far it has read. */
function ObservedStanding() {
  const { tone, word } = standingOf(link.value.state === "lost", observing.value);
  useTitle({ tone, word });
  return (
    <span class="standing" role="status">
      <span class={`dot ${tone}`} aria-hidden="true" />
      {word}
      {observing.value !== null && <span class="muted"> · block {grouped(observing.value.block)}</span>}
    </span>
  );
}

/** Whoever answered is gone: what that means, since when, and what to do. */
function Lost() {
  const { state, heard, why, ended } = link.value;
  if (state !== "lost") return null;
  return (
    <div class="lost" role="alert">
      <strong>{why}.</strong>{" "}
      {ended !== null && <><Prose text={farewell(ended.code, ended.why)} /> </>}
      {heard === null ? "Nothing was heard of it yet." : <>What you see is of <Ago at={heard} />.</>}{" "}
      {observed.value ? (
        <Prose text={GONE} />
      ) : (
        <>
          {gone(status.value === null ? [] : owed(status.value, schedules.value), now.value).slice(1, 2).map((item) => (
            <p key={item.what}><strong>{item.what}.</strong> <Prose text={item.remedy} /></p>
          ))}
          <Prose text={startAgain(folder.value)} /> This page goes on by itself when it is back.
        </>
      )}
    </div>
  );
}
