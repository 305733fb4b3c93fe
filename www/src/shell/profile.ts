// Who is signed in, asked once a page.
import type { Profile } from "@mps/sdk/client";
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Problem } from "../problem.ts";
import { useSite } from "./site.ts";

export type ProfileState =
  | { kind: "asking" }
  | { kind: "known"; profile: Profile }
  | { kind: "failed"; problem: Problem };

export function useProfile(): { state: ProfileState; ask: () => void } {
  const site = useSite();
  const [state, setState] = useState<ProfileState>({ kind: "asking" });
  const ask = useCallback(() => {
    setState({ kind: "asking" });
    site.client.me().then(
      (profile) => setState({ kind: "known", profile }),
      (error: unknown) => setState({ kind: "failed", problem: site.problemOf(error) }),
    );
  }, [site]);
  useEffect(ask, [ask]);
  return { state, ask };
}
