/** Numbers as people read them; the same on every machine, whatever its locale. */
import type { UpdateType } from '../model/revision.js';

/** `12345` → `12,345` */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 update`, `12,345 updates` */
export function formatQuantity(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Revisions by type, so worded that nobody takes them for updates. */
export function describeRevisionTypes(byType: Readonly<Record<UpdateType, number>>): string {
  return `${formatCount(byType.Software)} software, ${formatCount(byType.Driver)} driver, ${formatCount(byType.Category)} category and ${formatCount(byType.Detectoid)} detectoid revisions`;
}

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'] as const;

/** Bytes with a decimal unit: `16.2 MB` */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `2026-11-20 12:34 UTC` */
export function formatInstant(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** `2026-11-20T12:34:56.789Z`, for JSON; undefined stays out of it */
export function isoInstant(milliseconds: number): string;
export function isoInstant(milliseconds: number | undefined): string | undefined;
export function isoInstant(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();
}

/** `2026-11-20` */
export function formatDay(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}
