/**
 * fast-check for the tests of this project. The suite judges the same code the same way every time, so its properties
 * have one seed; `PROPERTY_SEED=random npm test` looks at other cases, `PROPERTY_SEED=<number>` at those of one seed.
 * A case that was found so becomes a test or an example of its own.
 */
import fc from 'fast-check';

const DEFAULT_SEED = 20_261_121;

const wish = process.env.PROPERTY_SEED;
if (wish === undefined) fc.configureGlobal({ seed: DEFAULT_SEED });
else if (wish !== 'random') fc.configureGlobal({ seed: Number(wish) });

export { fc };
