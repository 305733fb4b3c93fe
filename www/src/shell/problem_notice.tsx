// A failed call in words: what happened, what to do next, the reference to tell an operator.
import { useFormat, useTexts } from "../i18n.ts";
import type { Problem } from "../problem.ts";

/** The words alone, for places that have their own frame. */
export function ProblemWords({ problem }: { problem: Problem }) {
  const texts = useTexts();
  const format = useFormat();
  const { what, next } = texts.errors[problem.code];
  const { limit, retry_after_seconds: wait } = problem.params;
  return (
    <>
      <p class="what">{what}</p>
      <p>{next}</p>
      {typeof limit === "string" && <p>{texts.limitIs(format.money(limit))}</p>}
      {(typeof wait === "number" || typeof wait === "string") && <p>{texts.waitSeconds(String(wait))}</p>}
      {problem.requestId !== undefined && (problem.code === "INTERNAL" || problem.mayRetry) && (
        <p class="faint">{texts.requestId(problem.requestId)}</p>
      )}
    </>
  );
}

export function ProblemNotice({ problem, onRetry }: { problem: Problem; onRetry?: () => void }) {
  const texts = useTexts();
  return (
    <div class="notice bad" role="alert">
      <ProblemWords problem={problem} />
      {onRetry && (
        <button class="button quiet" type="button" onClick={onRetry}>
          {texts.retry}
        </button>
      )}
    </div>
  );
}
