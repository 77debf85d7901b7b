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
  y: readonly number[];
  names: readonly [string, string];
  stepped?: boolean;
  /** Whether zero is on the axis, however far the values are from it. */
  fromZero?: boolean;
  /** Whether `x` is seconds of Unix. */
  time?: boolean;
  height?: number;
  /** Below the picture, where it is not `names`. */
  caption?: string;
}

export function Chart({ label, x, y, names, stepped = false, fromZero = false, time = false, height = 220, caption }: Given) {
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const isDark = dark.value;

  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const style = getComputedStyle(element);
    const [ink, line, accent] = ["--muted", "--line", "--accent"].map((name) => style.getPropertyValue(name).trim()) as [string, string, string];
    const font = `12px ${style.fontFamily}`;
    const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        legend: { show: false },
        cursor: { y: false, points: { size: 7 } },
        scales: {
          x: { time },
          y: fromZero ? { range: (_, low, high) => uPlot.rangeNum(Math.min(0, low), Math.max(0, high), 0.1, true) } : {},
        },
        axes: [
          { ...axis, ...(time ? { values: (_: uPlot, splits: number[]) => axisTimes(splits) } : { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] }), space: 60, size: 34 },
          { ...axis, size: 56, values: (_, splits) => splits.map((item) => String(Number(item.toPrecision(6)))) },
        ],
        series: [
          {},
          {
            stroke: accent,
            width: 2,
            fill: `${accent}1f`,
            points: { show: x.length < 30, size: 6, fill: accent },
            ...(stepped && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
          },
        ],
      },
      [x as number[], y as number[]],
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
  }, [isDark, height, stepped, fromZero, time]);

  useEffect(() => chart.current?.setData([x as number[], y as number[]]), [x, y]);

  return (
    <figure class="chart">
      <div ref={holder} role="img" aria-label={label} />
      <figcaption class="muted">
        {caption ?? `${names[1]} by ${names[0]}`}
      </figcaption>
    </figure>
  );
}
