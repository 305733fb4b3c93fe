// The types of probe.js, for the tests beside it.

export const wanted: Readonly<Record<string, unknown>>;
