import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc'); // for contexts made from now on

/** Collects all garbage at once, so that memory figures do not depend on when the collector would have come. */
export const collectGarbage: () => void = runInNewContext('gc');
