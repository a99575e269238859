/** What a progress line says; drawing it is the reporter's business. */
import type { ProgressEvent, Stage } from '../events.js';
import { formatCount } from './text.js';

type Started = Extract<ProgressEvent, { type: 'stage-started' }>;
type Progress = Extract<ProgressEvent, { type: 'progress' }>;

/** The rate shown is that of the last ten seconds. */
const RATE_WINDOW_MS = 10_000;
const SAMPLE_EVERY_MS = 250;
const MEGABYTE = 1_000_000;
const BAR_WIDTH = 24;
const MIN_BAR_WIDTH = 8;

export interface ProgressState {
  readonly stage: Stage;
  readonly unit: Started['unit'];
  readonly done: number;
  readonly total: number | undefined;
  /** 0 to 1; undefined while the end is not known */
  readonly fraction: number | undefined;
  /** units per second; undefined before there is anything to measure */
  readonly rate: number | undefined;
  /** of downloads, in place of files per second, which say little: their sizes differ by six orders */
  readonly bytesRate?: number | undefined;
  readonly secondsLeft: number | undefined;
}

/** Measures one stage. `clock` gives milliseconds that never go back. */
export class StageMeter {
  private readonly samples: {
    atMs: number;
    done: number;
    bytes: number;
    fraction: number | undefined;
  }[];
  private done = 0;
  private bytes = 0;
  private total: number | undefined;
  private fraction: number | undefined;

  constructor(
    private readonly started: Started,
    private readonly clock: () => number,
  ) {
    this.total = started.total;
    this.samples = [{ atMs: clock(), done: 0, bytes: 0, fraction: 0 }];
  }

  update(event: Progress): void {
    this.done = event.done;
    this.total = event.total ?? this.started.total;
    this.bytes = event.bytes;
    const byCount = share(event.done, this.total);
    const byBytes = share(event.bytes, event.totalBytes);
    this.fraction = this.isDownload ? (byBytes ?? byCount) : (byCount ?? byBytes);
    const atMs = this.clock();
    const last = this.samples.at(-1);
    if (last === undefined || atMs - last.atMs < SAMPLE_EVERY_MS) return;
    this.samples.push({ atMs, done: this.done, bytes: this.bytes, fraction: this.fraction });
    while (this.samples.length > 2 && atMs - (this.samples[0]?.atMs ?? atMs) > RATE_WINDOW_MS) {
      this.samples.shift();
    }
  }

  /** The state now, for a line about it. */
  read(): ProgressState {
    const first = this.samples[0];
    const elapsedMs = first === undefined ? 0 : this.clock() - first.atMs;
    let rate: number | undefined;
    let bytesRate: number | undefined;
    let secondsLeft: number | undefined;
    if (first !== undefined && elapsedMs >= SAMPLE_EVERY_MS) {
      rate = ((this.done - first.done) / elapsedMs) * 1000;
      if (this.isDownload) bytesRate = ((this.bytes - first.bytes) / elapsedMs) * 1000;
      if (this.fraction !== undefined && first.fraction !== undefined && this.fraction > first.fraction) {
        secondsLeft = ((1 - this.fraction) * elapsedMs) / (this.fraction - first.fraction) / 1000;
      }
    }
    return {
      stage: this.started.stage,
      unit: this.started.unit,
      done: this.done,
      total: this.total,
      fraction: this.fraction,
      rate,
      bytesRate,
      secondsLeft,
    };
  }

  private get isDownload(): boolean {
    return this.started.stage === 'downloading' && this.started.unit === 'files';
  }
}

/** `importing: 12,300 of 100,000 revisions (12 %), 4,100/s, 21 s left` */
export function progressText(state: ProgressState): string {
  const { stage, fraction } = state;
  const percent = fraction === undefined ? '' : ` (${percentText(fraction)})`;
  return [`${stage}: ${amountText(state)}${percent}`, ...rateTexts(state)].join(', ');
}

/** The same with a bar, in at most `width` columns: what is least needed goes first. */
export function progressBarText(state: ProgressState, width: number, unicode: boolean): string {
  const { stage, fraction } = state;
  const [rate, left] = rateTexts(state);
  if (fraction !== undefined) {
    for (const [barWidth, details] of [
      [BAR_WIDTH, [amountText(state), rate, left]],
      [MIN_BAR_WIDTH, [amountText(state), rate, left]],
      [MIN_BAR_WIDTH, [amountText(state), left]],
      [MIN_BAR_WIDTH, [left]],
    ] as const) {
      const given = details.filter((each) => each !== undefined).join(', ');
      const line =
        `${stage} ${bar(fraction, barWidth, unicode)} ${percentText(fraction)}  ${given}`.trimEnd();
      if (line.length <= width) return line;
    }
    return `${stage} ${percentText(fraction)}`.slice(0, width);
  }
  return progressText(state).slice(0, width);
}

function amountText({ unit, done, total }: ProgressState): string {
  if (unit === 'bytes') {
    const of = total === undefined ? '' : ` of ${megabytes(total)}`;
    return `${megabytes(done)}${of} MB`;
  }
  const of = total === undefined ? '' : ` of ${formatCount(total)}`;
  return `${formatCount(done)}${of} ${unit}`;
}

function rateTexts({ unit, rate, bytesRate, secondsLeft }: ProgressState): string[] {
  const texts: string[] = [];
  if (bytesRate !== undefined) texts.push(`${megabytes(bytesRate)} MB/s`);
  else if (rate !== undefined) {
    texts.push(unit === 'bytes' ? `${megabytes(rate)} MB/s` : `${formatCount(rate)}/s`);
  }
  if (secondsLeft !== undefined) texts.push(`${durationText(secondsLeft)} left`);
  return texts;
}

function megabytes(size: number): string {
  const value = size / MEGABYTE;
  return value < 100 ? value.toFixed(1) : formatCount(value);
}

/** `21 s`, `3 min 20 s`, `2 h 5 min` */
export function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function percentText(fraction: number): string {
  return `${Math.floor(fraction * 100)} %`; // never "100 %" before the end
}

function bar(fraction: number, width: number, unicode: boolean): string {
  const full = Math.floor(fraction * width);
  return unicode
    ? '█'.repeat(full) + '░'.repeat(width - full)
    : `[${'#'.repeat(full)}${'-'.repeat(width - full)}]`;
}

function share(done: number, total: number | undefined): number | undefined {
  if (total === undefined || total <= 0) return undefined;
  return Math.min(1, Math.max(0, done / total));
}
