/** The project that is shown, and the choice of another where there are several. */
import type { ComponentChildren } from "preact";
import { choose, observing, project, projects } from "../../node/observing";
import { Waiting } from "../../parts/Notice";

/** `children` gets the number of the project that is shown. */
export function Chosen({ title, children }: { title(project: number): string; children(project: number): ComponentChildren }) {
  const shown = project.value;
  if (shown === null) return <><h1>Project</h1><None /></>;
  const others = observing.value?.project === null ? (projects.value ?? []) : [];
  return (
    <>
      <div class="titled">
        <h1>{title(shown)}</h1>
        {others.length > 1 && (
          <label>
            Project{" "}
            <select value={shown} onChange={(event) => choose(Number(event.currentTarget.value))}>
              {others.map((item) => (
                <option key={item.project} value={item.project}>
                  {item.project}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      {children(shown)}
    </>
  );
}

function None() {
  if (projects.value === null || observing.value === null) return <Waiting />;
  const wanted = observing.value.project;
  if (!observing.value.read) return <p class="empty">The chain is being read; projects appear here as they are found.</p>;
  return (
    <p class="empty">
      {wanted === null ? "No project was created in this deployment yet." : `There is no project ${wanted} in this deployment.`}
    </p>
  );
}
