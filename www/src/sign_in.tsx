// Signing in, creating an account, and choosing where to go when there is more than one place.
import type { Profile } from "@mps/sdk/client";
import { useEffect, useState } from "preact/hooks";
import type { DemoLogin } from "./config.ts";
import { useTexts } from "./i18n.ts";
import type { SignInOutcome } from "./session.ts";
import { textOf } from "./shell/form.ts";
import { Loading } from "./shell/loading.tsx";
import { ProblemNotice } from "./shell/problem_notice.tsx";
import { useProfile } from "./shell/profile.ts";
import { useSite } from "./shell/site.ts";

export function SignIn() {
  const { session } = useSite();
  const [isSignedIn, setSignedIn] = useState<boolean>();
  useEffect(() => {
    void session.isSignedIn().then(setSignedIn);
  }, [session]);
  if (isSignedIn === undefined) return <Loading />;
  return isSignedIn ? <Route /> : <SignInForm onDone={() => setSignedIn(true)} />;
}

function SignInForm({ onDone }: { onDone: () => void }) {
  const { session, config } = useSite();
  const texts = useTexts().signIn;
  const [isNew, setNew] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<SignInOutcome | "expired" | undefined>(
    location.hash === "#expired" ? "expired" : undefined,
  );

  const send = async (email: string, password: string, create: boolean) => {
    setBusy(true);
    setOutcome(undefined);
    const answer = await (create ? session.createAccount(email, password) : session.signIn(email, password));
    setBusy(false);
    if (answer === "done") onDone();
    else setOutcome(answer);
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    void send(textOf(event, "email").trim(), textOf(event, "password"), isNew);
  };
  const idle = isNew ? texts.create : texts.submit;
  const busy = isNew ? texts.creating : texts.submitting;
  return (
    <section class="panel narrow">
      <h1>{isNew ? texts.create : texts.pageTitle}</h1>
      <p class="faint">{texts.lead}</p>
      <form class="stack" onSubmit={submit}>
        <label class="field">
          <span>{texts.email}</span>
          <input name="email" type="email" autocomplete="username" required />
        </label>
        <label class="field">
          <span>{texts.password}</span>
          <input
            name="password"
            type="password"
            autocomplete={isNew ? "new-password" : "current-password"}
            minLength={isNew ? 8 : 1}
            required
          />
          {isNew && <small>{texts.passwordHint}</small>}
        </label>
        <div aria-live="polite">
          {outcome !== undefined && outcome !== "done" && (
            <p class={outcome === "confirmSent" ? "notice" : "notice bad"}>{texts[outcome]}</p>
          )}
        </div>
        <button class="button" type="submit" disabled={isBusy}>
          {isBusy ? busy : idle}
        </button>
      </form>
      <button class="link" type="button" onClick={() => setNew(!isNew)}>
        {isNew ? texts.signInInstead : texts.createInstead}
      </button>
      {config.demoLogins.length > 0 && <DemoLogins logins={config.demoLogins} isBusy={isBusy} onChoose={send} />}
    </section>
  );
}

interface DemoLoginsProps {
  logins: readonly DemoLogin[];
  isBusy: boolean;
  onChoose: (email: string, password: string, create: boolean) => Promise<void>;
}

function DemoLogins({ logins, isBusy, onChoose }: DemoLoginsProps) {
  const texts = useTexts().signIn;
  return (
    <div class="stack demo">
      <h2>{texts.demo}</h2>
      {logins.map(({ label, email, password }) => (
        <button key={email} class="button quiet" type="button" disabled={isBusy} onClick={() => void onChoose(email, password, false)}>
          {label}
        </button>
      ))}
    </div>
  );
}

/** One place: go there at once. Several, or none: say so. */
function Route() {
  const { state, ask } = useProfile();
  const place = state.kind === "known" ? placeOf(state.profile) : undefined;
  useEffect(() => {
    if (place === "member") location.replace("./member.html");
    if (place === "merchant") location.replace("./merchant.html");
  }, [place]);
  if (state.kind === "failed") return <ProblemNotice problem={state.problem} onRetry={ask} />;
  if (place === "several" || place === "admin") return <Choose isAdmin={place === "admin"} />;
  return <Loading />;
}

function placeOf(profile: Profile): "member" | "merchant" | "several" | "admin" {
  const isMember = profile.member_id !== null;
  if (profile.merchants.length > 0) return isMember ? "several" : "merchant";
  return profile.is_admin && !isMember ? "admin" : "member";
}

function Choose({ isAdmin }: { isAdmin: boolean }) {
  const texts = useTexts();
  const site = useSite();
  return (
    <section class="panel narrow stack">
      <h1>{texts.choose.title}</h1>
      {isAdmin && <p>{texts.choose.adminOnly}</p>}
      <a class="choice" href="./member.html">
        <strong>{isAdmin ? texts.choose.asMember : texts.choose.member}</strong>
        <span>{texts.choose.memberHint}</span>
      </a>
      {!isAdmin && (
        <a class="choice" href="./merchant.html">
          <strong>{texts.choose.merchant}</strong>
          <span>{texts.choose.merchantHint}</span>
        </a>
      )}
      <button class="link" type="button" onClick={() => void site.leave()}>
        {texts.signOut}
      </button>
    </section>
  );
}
