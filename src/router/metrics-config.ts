/** What the operator decides about metrics. */

/** Upper bounds of histograms, ascending. */
export interface HistogramBuckets {
  /** Nanoseconds. */
  readonly routeLookupTime: readonly number[];
  /** Milliseconds. */
  readonly gorouterTime: readonly number[];
  /** Milliseconds. */
  readonly responseLatency: readonly number[];
  /** Milliseconds. */
  readonly registrationLatency: readonly number[];
  /** Seconds. */
  readonly httpLatency: readonly number[];
}

const TIME_BUCKETS = [1, 2, 4, 6, 8, 10, 20, 40, 50, 100, 500, 1_000];

/** gorouter's. */
export const HISTOGRAM_BUCKETS: HistogramBuckets = Object.freeze({
  routeLookupTime: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => n * 10_000),
  gorouterTime: TIME_BUCKETS,
  responseLatency: TIME_BUCKETS,
  registrationLatency: [0.1, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4],
  httpLatency: [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6],
});

export interface MetricsConfig {
  readonly histogramBuckets: HistogramBuckets;
  /** Also `http_latency_seconds`, for each app. */
  readonly countsLatencyPerApp: boolean;
  /**
   * Registrations are timed from so long after the start on: before it all instances are new to the router, however
   * long they have been running.
   */
  readonly registrationLatencyAfterMs: number;
}

export const METRICS_DEFAULTS: MetricsConfig = Object.freeze({
  histogramBuckets: HISTOGRAM_BUCKETS,
  countsLatencyPerApp: false,
  registrationLatencyAfterMs: 20_000,
});
