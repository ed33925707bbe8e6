/** Counts values into buckets, as Prometheus reads them. */
export interface Histogram {
  observe(value: number): void;
  /** @param labels  `component="shop"`; "" for none. */
  readonly lines: (name: string, labels?: string) => readonly string[];
}

/** @param bounds  Upper bounds, ascending. */
export function createHistogram(bounds: readonly number[]): Histogram {
  // Each value in the first bucket that it fits in; added up when somebody asks.
  const counts = [...bounds, Number.POSITIVE_INFINITY].map(() => 0);
  let sum = 0;
  return {
    observe(value) {
      sum += value;
      let i = 0;
      while (i < bounds.length && value > (bounds[i] as number)) i++;
      counts[i] = (counts[i] as number) + 1;
    },
    lines(name, labels = "") {
      const before = labels === "" ? "" : `${labels},`;
      const braces = labels === "" ? "" : `{${labels}}`;
      let count = 0;
      const buckets = [...bounds, "+Inf"].map((bound, i) => {
        count += counts[i] as number;
        return `${name}_bucket{${before}le="${bound}"} ${count}`;
      });
      return [...buckets, `${name}_sum${braces} ${sum}`, `${name}_count${braces} ${count}`];
    },
  };
}
