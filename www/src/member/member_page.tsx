// The member's page: registration first when the account has no member yet, then the wallet.
import { useTexts } from "../i18n.ts";
import { Loading } from "../shell/loading.tsx";
import { ProblemNotice } from "../shell/problem_notice.tsx";
import { useProfile } from "../shell/profile.ts";
import { Register } from "./register.tsx";
import { Wallet } from "./wallet.tsx";

export function MemberPage() {
  const texts = useTexts();
  const { state, ask } = useProfile();
  if (state.kind === "asking") return <Loading />;
  if (state.kind === "failed") return <ProblemNotice problem={state.problem} onRetry={ask} />;
  const { profile } = state;
  if (profile.member_id === null) return <Register onDone={ask} />;
  return (
    <>
      <p class="who">
        <span>
          {profile.name} <small class="faint">{profile.member_no}</small>
        </span>
        {profile.merchants.length > 0 && <a href="./merchant.html">{texts.choose.merchant}</a>}
      </p>
      <Wallet />
    </>
  );
}
