/** @jest-environment jsdom */
const { answerOf } = require("./answer.cjs");
const { wanted } = require("./probe.cjs");
const { scanned } = require("./frame.cjs");

for (const entry of ["@mps/sdk", "@mps/sdk/inline"]) {
  test(`${entry} in jsdom, which has no TextDecoder`, async () => {
    expect(typeof TextDecoder).toBe("undefined");
    expect(await answerOf(require(entry), require("@mps/sdk/scanner"))).toEqual({ ...wanted, scanned });
  });
}

test("an error has one class in all entries", async () => {
  const { MpsError } = require("@mps/sdk");
  const { MpsClient } = require("@mps/sdk/client");
  const client = new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => null, retriesMax: 0, fetch: () => Promise.reject(new Error("offline")) });
  await expect(client.me()).rejects.toBeInstanceOf(MpsError);
});
