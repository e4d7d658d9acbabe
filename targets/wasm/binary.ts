/**
 * The compiled module of assembly/ in base64. It is empty here: `npm run build` writes it into dist, in this file's place
 * (build/main.ts). As text in a module it is there wherever JavaScript is, in a bundle for browsers as well, at once and
 * without reading a file.
 */
export const CODEC_BINARY_BASE64 = '';
