import { WsusutilError } from '../../errors.js';

const ADDRESS = /^(?!file:)[a-z][a-z0-9+.-]+:\/\//i;

/** @throws WsusutilError `USAGE` for an address */
export function refuseAddress(command: string, path: string): void {
  if (ADDRESS.test(path)) {
    throw new WsusutilError('USAGE', `${command} takes a local file, not the address ${path}`, {
      hint: 'Download the package first, then name the file.',
    });
  }
}

/** @throws WsusutilError `USAGE` for an address */
export function checkTarget(path: string): void {
  if (ADDRESS.test(path)) {
    throw new WsusutilError('USAGE', `export writes a local file, not to the address ${path}`, {
      hint: 'Give a path that ends in .cab, .xml.gz or .tar.',
    });
  }
}
