/** SOAP messages through an independent parser, for comparing ours with recorded ones. */
import { SaxesParser } from 'saxes';

export interface TreeElement {
  readonly local: string;
  readonly uri: string;
  /** character data directly inside; '' if there are children */
  text: string;
  readonly children: TreeElement[];
}

export function parseTree(xml: string): TreeElement {
  const parser = new SaxesParser({ xmlns: true });
  const open: TreeElement[] = [];
  let root: TreeElement | undefined;
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ local, uri }) => {
    const element: TreeElement = { local, uri, text: '', children: [] };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  const addText = (text: string) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    const element = open.pop();
    if (element !== undefined && element.children.length > 0) element.text = '';
  });
  parser.write(xml).close();
  if (root === undefined) throw new Error('no element');
  return root;
}

/** The operation's element: the one child of the body. */
export function bodyOf(xml: string): TreeElement {
  const envelope = parseTree(xml);
  const body = envelope.children.find(({ local }) => local === 'Body');
  const [operation, ...others] = body?.children ?? [];
  if (operation === undefined || others.length > 0) throw new Error('the body must hold one element');
  return operation;
}

export function childNamed(parent: TreeElement | undefined, local: string): TreeElement | undefined {
  return parent?.children.find((child) => child.local === local);
}
