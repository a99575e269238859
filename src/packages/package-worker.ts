/** Entry of the worker threads that `openPackageRunner` starts. */
import { serveTasks } from '../platform/worker-pool.js';
import { ownedBuffers, type PackageTask, performTask } from './package-tasks.js';

serveTasks((task: PackageTask) => {
  const result = performTask(task);
  return { result, transfer: ownedBuffers(result) };
});
