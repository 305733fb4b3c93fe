// The sign that something is on its way.
import { useTexts } from "../i18n.ts";

export function Loading() {
  const texts = useTexts();
  return (
    <p class="loading" role="status">
      <span class="spinner" aria-hidden="true" />
      {texts.loading}
    </p>
  );
}
