/** A line over steps or rounds, drawn by uPlot in the colours of the page; a sentence says the same. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { dark } from "../shell/theme";
import { axisTimes } from "../words/times";

interface Given {
  /** What the picture shows, for who does not see it. */
  label: string;
  x: readonly number[];
  /** null: there is no value, and no line over it. */
  y: readonly (number | null)[];
  names: readonly [string, string];
  stepped?: boolean;
  /** Whether zero is on the axis, however far the values are from it. */
  fromZero?: boolean;
  /** Whether `x` is seconds of Unix. */
  time?: boolean;
  /** Standard errors: each value is then a point of its own with a bar, joined to no other. */
  errors?: readonly number[];
  /** Which of those points are only an outline. */
  hollow?: readonly boolean[];
  height?: number;
  /** Below the picture, where it is not `names`. */
  caption?: string;
  /** What the axis says at the first `x`, where that is none of `names`. */
  first?: string;
}

export function Chart({ label, x, y, names, stepped = false, fromZero = false, time = false, errors, hollow, height = 220, caption, first }: Given) {
  const holder = useRef<HTMLDivElement>(null);
  const marks = useRef<Marks | null>(null);
  marks.current = errors === undefined ? null : { errors, hollow: hollow ?? [] };
  const apart = errors !== undefined;
  const begins = useRef<number | undefined>(undefined);
  begins.current = first === undefined ? undefined : x[0];
  const chart = useRef<uPlot | null>(null);
  const isDark = dark.value;

  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const style = getComputedStyle(element);
    const [ink, line, accent, ground] = ["--muted", "--line", "--accent", "--surface"].map((name) =>
      style.getPropertyValue(name).trim(),
    ) as [string, string, string, string];
    const font = `12px ${style.fontFamily}`;
    const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        legend: { show: false },
        cursor: { y: false, points: { size: 7 } },
        scales: {
          x: { time, ...(apart ? { range: (_: uPlot, low: number, high: number): uPlot.Range.MinMax => [low - 0.5, high + 0.5] } : {}) },
          y: fromZero ? { range: (_, low, high) => rangeOf(low, high, marks.current) } : {},
        },
        axes: [
          { ...axis, ...(time ? { values: (_: uPlot, splits: number[]) => axisTimes(splits) } : { values: (_: uPlot, splits: number[]) => splits.map((item) => (item === begins.current ? first! : String(item))), incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] }), space: 60, size: 34 },
          { ...axis, size: 56, values: (_, splits) => splits.map((item) => String(Number(item.toPrecision(6)))) },
        ],
        series: [
          {},
          {
            stroke: accent,
            width: 2,
            ...(apart ? { paths: () => null } : { fill: `${accent}1f` }),
            points: { show: !apart && x.length < 30, size: 6, fill: accent },
            ...(stepped && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
          },
        ],
        ...(apart ? { hooks: { draw: [(shown: uPlot) => drawMarks(shown, marks.current, { ink, accent, ground })] } } : {}),
      },
      [x as number[], y as (number | null)[]],
      element,
    );
    chart.current = made;
    const watched = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    watched.observe(element);
    return () => {
      watched.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [isDark, height, stepped, fromZero, time, apart, first]);

  useEffect(() => chart.current?.setData([x as number[], y as (number | null)[]]), [x, y]);

  return (
    <figure class="chart">
      <div ref={holder} role="img" aria-label={label} />
      <figcaption class="muted">
        {caption ?? `${names[1]} by ${names[0]}`}
      </figcaption>
    </figure>
  );
}

interface Marks {
  errors: readonly number[];
  hollow: readonly boolean[];
}

/** With zero, and room for every error bar. */
function rangeOf(low: number, high: number, marks: Marks | null): uPlot.Range.MinMax {
  const most = Math.max(0, ...(marks?.errors ?? []));
  return uPlot.rangeNum(Math.min(0, low - most), Math.max(0, high + most), 0.1, true);
}

/** Zero as a line, and every value as a point with its error bar. */
function drawMarks(shown: uPlot, marks: Marks | null, colours: { ink: string; accent: string; ground: string }): void {
  if (marks === null) return;
  const { ctx } = shown;
  const ratio = devicePixelRatio;
  const xs = shown.data[0];
  const ys = shown.data[1] ?? [];
  const { left, width } = shown.bbox;
  ctx.save();
  ctx.lineWidth = ratio;
  ctx.strokeStyle = colours.ink;
  const zero = Math.round(shown.valToPos(0, "y", true));
  ctx.beginPath();
  ctx.moveTo(left, zero);
  ctx.lineTo(left + width, zero);
  ctx.stroke();
  ctx.lineWidth = 1.5 * ratio;
  for (let place = 0; place < xs.length; place += 1) {
    const value = ys[place];
    if (value == null) continue;
    const at = shown.valToPos(xs[place]!, "x", true);
    const error = marks.errors[place] ?? 0;
    if (error > 0) {
      const [top, bottom] = [shown.valToPos(value + error, "y", true), shown.valToPos(value - error, "y", true)];
      const cap = 4 * ratio;
      ctx.strokeStyle = colours.ink;
      ctx.beginPath();
      ctx.moveTo(at, top);
      ctx.lineTo(at, bottom);
      for (const end of [top, bottom]) {
        ctx.moveTo(at - cap, end);
        ctx.lineTo(at + cap, end);
      }
      ctx.stroke();
    }
    ctx.beginPath();
    ctx.arc(at, shown.valToPos(value, "y", true), 4 * ratio, 0, 2 * Math.PI);
    ctx.fillStyle = marks.hollow[place] ? colours.ground : colours.accent;
    ctx.strokeStyle = colours.accent;
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}
