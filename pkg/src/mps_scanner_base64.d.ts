// Written by build.mjs: the module as text.

export declare const base64: string;
