import { createInlineRunner, openWorkerPool, type TaskRunner } from '../platform/worker-pool.js';
import { type PackageTask, type PackageTaskResult, performTask } from './package-tasks.js';

export type PackageRunner = TaskRunner<PackageTask, PackageTaskResult>;

/** One under way, and one for when that is done: the thread that hands them out may be at something else then. */
export const TASKS_PER_THREAD = 2;

/**
 * @param threads 0: everything on the calling thread
 * @param start threads that run from the beginning
 */
export function openPackageRunner(threads: number, start: 'all' | 'one' = 'all'): PackageRunner {
  return threads === 0
    ? createInlineRunner(performTask)
    : openWorkerPool(new URL('./package-worker.js', import.meta.url), threads, start, TASKS_PER_THREAD);
}
