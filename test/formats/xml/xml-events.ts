import { SaxesParser } from 'saxes';
import {
  type StartAction,
  type XmlElement,
  XmlReader,
  type XmlReaderOptions,
} from '../../../src/formats/xml/xml-reader.js';

/** One event in a form that compares: `['start', uri, local, depth, [[uri, local, value], …]]`, `['text', …]`, `['end', …]`. */
export type XmlEvent = readonly unknown[];

export interface Reading {
  readonly events: readonly XmlEvent[];
  /** undefined: accepted */
  readonly error: unknown;
}

class Recorder {
  readonly events: XmlEvent[] = [];
  private pending = '';

  start(uri: string, local: string, depth: number, attributes: readonly (readonly string[])[]): void {
    this.flush();
    this.events.push(['start', uri, local, depth, attributes]);
  }

  end(local: string, depth: number): void {
    this.flush();
    this.events.push(['end', local, depth]);
  }

  text(text: string): void {
    this.pending += text;
  }

  raw(source: string): void {
    const last = this.events.at(-1);
    if (last?.[0] === 'raw') this.events[this.events.length - 1] = ['raw', `${last[1]}${source}`];
    else this.events.push(['raw', source]);
  }

  private flush(): void {
    if (this.pending !== '') this.events.push(['text', this.pending]);
    this.pending = '';
  }
}

/** Reads `pieces` with our reader. Adjacent texts are joined: how often text is cut is not part of the contract. */
export function readWithOurs(
  pieces: Iterable<string>,
  options?: XmlReaderOptions,
  decide: (element: XmlElement) => StartAction = () => undefined,
): Reading {
  const recorder = new Recorder();
  const reader = new XmlReader(
    {
      start(element) {
        const attributes = element.attributes().map(({ uri, local, value }) => [uri, local, value]);
        recorder.start(element.uri, element.local, element.depth, attributes);
        return decide(element);
      },
      end: (local, depth) => recorder.end(local, depth),
      text: (text) => recorder.text(text),
      raw: (source) => recorder.raw(source),
    },
    options,
  );
  try {
    for (const piece of pieces) reader.write(piece);
    reader.end();
  } catch (error) {
    return { events: recorder.events, error };
  }
  return { events: recorder.events, error: undefined };
}

/** Reads `document` with saxes, refusing DOCTYPE as ours does. */
export function readWithSaxes(document: string): Reading {
  const recorder = new Recorder();
  const parser = new SaxesParser({ xmlns: true, position: false });
  let depth = 0;
  parser.on('opentag', (tag) => {
    const attributes = Object.values(tag.attributes)
      .filter((each) => each.prefix !== 'xmlns' && each.name !== 'xmlns')
      .map(({ uri, local, value }) => [uri, local, value]);
    recorder.start(tag.uri, tag.local, ++depth, attributes);
  });
  parser.on('closetag', (tag) => recorder.end(tag.local, depth--));
  parser.on('text', (text) => {
    if (depth > 0) recorder.text(text);
  });
  parser.on('cdata', (text) => recorder.text(text));
  parser.on('doctype', () => {
    throw new Error('DOCTYPE');
  });
  try {
    parser.write(document).close();
  } catch (error) {
    return { events: recorder.events, error };
  }
  return { events: recorder.events, error: undefined };
}
