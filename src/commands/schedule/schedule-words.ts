/** Times of a schedule as people read them: on the clock on the wall. */
import { formatTime, twoDigits } from '../../model/schedule.js';

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;

/** `2026-12-09 06:00`, local time */
export function formatLocal(at: Date): string {
  const day = `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())}`;
  return `${day} ${formatTime({ hour: at.getHours(), minute: at.getMinutes() })}`;
}

/** `Wednesday` */
export function weekdayOf(at: Date): string {
  return WEEKDAYS[at.getDay()] as string;
}

/** `UTC+01:00`: what local time is at that moment */
export function offsetOf(at: Date): string {
  const minutes = -at.getTimezoneOffset();
  const distance = Math.abs(minutes);
  return `UTC${minutes < 0 ? '-' : '+'}${twoDigits(Math.floor(distance / 60))}:${twoDigits(distance % 60)}`;
}
