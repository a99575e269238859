/** Entry of the worker threads that `openContentRunner` starts. */
import { serveTasks } from '../platform/worker-pool.js';
import { type ContentTask, performContentTask } from './content-tasks.js';

serveTasks((task: ContentTask) => ({ result: performContentTask(task), transfer: [] }));
