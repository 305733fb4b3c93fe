// The form that makes the signed-in account a member.
import { useState } from "preact/hooks";
import { useTexts } from "../i18n.ts";
import type { Problem } from "../problem.ts";
import { textOf } from "../shell/form.ts";
import { ProblemNotice } from "../shell/problem_notice.tsx";
import { useSite } from "../shell/site.ts";

export function Register({ onDone }: { onDone: () => void }) {
  const site = useSite();
  const texts = useTexts().register;
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const request = { name: textOf(event, "name").trim(), phone: textOf(event, "phone").replace(/[\s-]/g, "") };
    setBusy(true);
    setProblem(undefined);
    site.client
      .register(request)
      .then(onDone, (error: unknown) => setProblem(site.problemOf(error)))
      .finally(() => setBusy(false));
  };
  return (
    <section class="panel narrow">
      <h1>{texts.title}</h1>
      <p class="faint">{texts.lead}</p>
      <form class="stack" onSubmit={submit}>
        <label class="field">
          <span>{texts.name}</span>
          <input name="name" autocomplete="name" required />
        </label>
        <label class="field">
          <span>{texts.phone}</span>
          <input name="phone" type="tel" autocomplete="tel" required />
        </label>
        {problem && <ProblemNotice problem={problem} />}
        <button class="button" type="submit" disabled={isBusy}>
          {isBusy ? texts.submitting : texts.submit}
        </button>
      </form>
    </section>
  );
}
