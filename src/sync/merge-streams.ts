/**
 * Items of several streams as they come, at most `concurrency` streams at a time. The first error ends the whole; what is
 * under way then is not waited for.
 *
 * @param streams taken one by one, as there is room
 */
export async function* mergeStreams<T>(
  streams: Iterator<AsyncGenerator<T, void, undefined>>,
  concurrency: number,
): AsyncGenerator<T, void, undefined> {
  type Turn = {
    readonly stream: AsyncGenerator<T, void, undefined>;
    readonly result: IteratorResult<T, void>;
  };
  const turns = new Map<AsyncGenerator<T, void, undefined>, Promise<Turn>>();
  const advance = (stream: AsyncGenerator<T, void, undefined>) => {
    const turn = stream.next().then((result) => ({ stream, result }));
    turn.catch(() => {}); // heard in the race, or nobody is interested any more
    turns.set(stream, turn);
  };
  const fill = () => {
    while (turns.size < concurrency) {
      const next = streams.next();
      if (next.done === true) return;
      advance(next.value);
    }
  };
  try {
    fill();
    while (turns.size > 0) {
      const { stream, result } = await Promise.race(turns.values());
      if (result.done === true) {
        turns.delete(stream);
        fill();
        continue;
      }
      turns.delete(stream); // to the end of the line: no stream is heard twice while another waits
      advance(stream);
      yield result.value;
    }
  } finally {
    for (const stream of turns.keys()) stream.return().catch(() => {});
  }
}
