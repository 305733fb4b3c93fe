// The types of frame.js, for the tests beside it.

export const scanned: { readonly text: string; readonly format: string };
