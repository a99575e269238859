import type { Report, WarningCode } from '../events.js';

const MAX_WARNINGS = 100;

export type WarnOnce = (code: WarningCode, message: string) => void;

/** Each thing once, and not without end: a server runs for months. */
export function warnOnce(report: Report): WarnOnce {
  const warned = new Set<string>();
  return (code, message) => {
    if (warned.has(message) || warned.size >= MAX_WARNINGS) return;
    warned.add(message);
    report({ type: 'warning', code, message });
  };
}
