/** Media by name, for commands. */
export { VOLUME_PRESETS } from '../formats/transfer-package/layout.js';
