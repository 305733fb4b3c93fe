import { init } from "@mps/sdk";
import { readFrame } from "@mps/sdk/scanner";

const picture = { data: new Uint8ClampedArray(4), width: 1, height: 1 };
const told = await Promise.all([init(), readFrame(picture)].map((work) => work.catch(({ code, message, params }) => ({ code, message, params }))));
document.body.textContent = JSON.stringify(told);
