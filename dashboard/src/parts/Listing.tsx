/** A table with the states a list can be in: awaited, failed, empty, or one page of several. On a narrow screen
 * each row becomes a block whose cells name their columns; the roles keep it a table for who listens to it. */
import type { ComponentChildren } from "preact";
import type { Asked, Paging } from "../node/asked";
import { Problem, Waiting } from "./Notice";

export interface Column<T> {
  head: string;
  cell(item: T): ComponentChildren;
  number?: boolean;
}

interface Given<T> {
  label: string;
  columns: readonly Column<T>[];
  asked: Asked<{ items: readonly T[]; next: string | null }>;
  keyOf(item: T): string | number;
  empty: ComponentChildren;
  paging?: Paging;
  /** What follows an item's row over the whole width. */
  below?(item: T): ComponentChildren;
}

export function Listing<T>({ label, columns, asked, keyOf, empty, paging, below }: Given<T>) {
  const { value, error } = asked;
  if (value === null) return error === null ? <Waiting /> : <Problem error={error} />;
  if (value.items.length === 0 && (paging === undefined || paging.page === 1)) return <p class="empty">{empty}</p>;
  return (
    <>
      <table role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th role="columnheader" scope="col" key={column.head} class={column.number ? "number" : undefined}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {value.items.map((item) => {
            const more = below?.(item);
            return [
              <tr role="row" key={keyOf(item)}>
                {columns.map((column) => (
                  <td role="cell" key={column.head} data-head={column.head} class={column.number ? "number" : undefined}>
                    <div>{column.cell(item)}</div>
                  </td>
                ))}
              </tr>,
              more ? (
                <tr role="row" class="below" key={`${keyOf(item)}-below`}>
                  <td role="cell" colSpan={columns.length}>
                    {more}
                  </td>
                </tr>
              ) : null,
            ];
          })}
        </tbody>
      </table>
      {paging !== undefined && (paging.page > 1 || value.next !== null) && (
        <nav class="paging" aria-label={`Pages of ${label}`}>
          <button type="button" disabled={paging.page === 1} onClick={paging.back}>
            Back
          </button>
          <span class="muted">page {paging.page}</span>
          <button type="button" disabled={value.next === null} onClick={() => value.next !== null && paging.forward(value.next)}>
            Further
          </button>
        </nav>
      )}
    </>
  );
}
